"""`facegraph config`."""

import sys

from ruamel.yaml import YAML

from deployments.config import check, read
from deployments.errors import ConfigError
from facegraph.cli.options import DEFAULT_CONFIG, ConfigArgument
from facegraph.cli.settled import HIDDEN, settled
from facegraph.cli.terminal import mistakes, notes, say, shown


@mistakes(ConfigError)
def check_command(config: ConfigArgument = DEFAULT_CONFIG) -> None:
    """Say whether a configuration can be served, and what is wrong with it by its place.

    Keys that nobody knows are refused at every level, which Serve itself does not do. Variables of the environment
    count as they would for the service.
    """
    for args in check(read(config)):
        stages = {**args.detectors, **args.liveness, **args.embedders}
        known = ", ".join(f"{role} is {stage.model}" for role, stage in stages.items())
        say(f"[green]right[/] {shown(str(config))}: {shown(known)}")


@mistakes(ConfigError)
def render_command(config: ConfigArgument = DEFAULT_CONFIG) -> None:
    """Show what is really served: every setting, and whether the file, a variable or a default says so.

    The output is a configuration that can be served, unless something in it is hidden.
    """
    document = read(config)
    served = settled(document, check(document))
    yaml = YAML()
    yaml.width = 4096
    yaml.representer.add_representer(type(None), lambda to, _: to.represent_scalar("tag:yaml.org,2002:null", "null"))
    yaml.dump(served.document, sys.stdout)
    if served.hidden:
        notes.print(f"[yellow]hidden[/] as {HIDDEN}: {shown(', '.join(served.hidden))}", highlight=False)
