"""`facegraph config`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ruamel.yaml import YAML

from deployments.config import check, read
from deployments.errors import ConfigError
from facegraph.cli.options import DEFAULT_CONFIG, ConfigArgument
from facegraph.cli.settled import HIDDEN, settled
from facegraph.cli.terminal import CommandError, notes, say, shown


def check_command(config: ConfigArgument = DEFAULT_CONFIG) -> None:
    """Say whether a configuration can be served, and what is wrong with it by its place.

    Keys that nobody knows are refused at every level, which Serve itself does not do. Variables of the environment
    count as they would for the service.
    """
    with _mistakes(config):
        applications = check(read(config))
    for args in applications:
        stages = {**args.detectors, **args.liveness, **args.embedders}
        known = ", ".join(f"{role} is {stage.model}" for role, stage in stages.items())
        say(f"[green]right[/] {shown(str(config))}: {shown(known)}")


def render_command(config: ConfigArgument = DEFAULT_CONFIG) -> None:
    """Show what is really served: every setting, and whether the file, a variable or a default says so.

    The output is a configuration that can be served, unless something in it is hidden.
    """
    with _mistakes(config):
        document = read(config)
        served = settled(document, check(document))
    yaml = YAML()
    yaml.width = 4096
    yaml.representer.add_representer(type(None), lambda to, _: to.represent_scalar("tag:yaml.org,2002:null", "null"))
    yaml.dump(served.document, sys.stdout)
    if served.hidden:
        notes.print(f"[yellow]hidden[/] as {HIDDEN}: {shown(', '.join(served.hidden))}", highlight=False)


@contextmanager
def _mistakes(config: Path) -> Iterator[None]:
    try:
        yield
    except ConfigError as error:
        raise CommandError(f"{config} cannot be served: {error}") from error
