"""`facegraph config`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ruamel.yaml import YAML

from deployments.config import check_config, read_config
from deployments.errors import ConfigError
from facegraph.cli.effective_config import HIDDEN, effective_config
from facegraph.cli.options import DEFAULT_CONFIG, ConfigArgument
from facegraph.cli.output import CommandError, escaped, print_line, stderr


def check_command(config: ConfigArgument = DEFAULT_CONFIG) -> None:
    """Check that a configuration can be served, or report what is wrong and where.

    Unlike Ray Serve, it rejects unknown keys at every level. Environment variables apply as they do in the service.
    """
    with config_errors(config):
        applications = check_config(read_config(config))
    for args in applications:
        models = ", ".join(f"{role} is {stage.model}" for role, stage in args.stages.items())
        print_line(f"[green]valid[/] {escaped(str(config))}: {escaped(models)}")


def render_command(config: ConfigArgument = DEFAULT_CONFIG) -> None:
    """Print the effective configuration: every setting, and whether the file, the environment or a default sets it.

    The output is itself a configuration that can be served, unless a secret in it is hidden.
    """
    with config_errors(config):
        document = read_config(config)
        effective, hidden = effective_config(document, check_config(document))
    yaml = YAML()
    yaml.width = 4096
    yaml.representer.add_representer(type(None), lambda to, _: to.represent_scalar("tag:yaml.org,2002:null", "null"))
    yaml.dump(effective, sys.stdout)
    if hidden:
        stderr.print(f"[yellow]hidden[/] as {HIDDEN}: {escaped(', '.join(hidden))}", highlight=False)


@contextmanager
def config_errors(config: Path) -> Iterator[None]:
    """Turn errors of a configuration into `CommandError`, with the name of its file."""
    try:
        yield
    except ConfigError as error:
        raise CommandError(f"{config} cannot be served: {error}") from error
