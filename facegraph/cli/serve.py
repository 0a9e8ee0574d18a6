"""`facegraph serve`."""

import signal

from deployments.errors import ConfigError, StartError
from deployments.serving import run
from facegraph.cli.options import DEFAULT_CONFIG, ConfigArgument
from facegraph.cli.terminal import mistakes


@mistakes(ConfigError, StartError)
def serve_command(config: ConfigArgument = DEFAULT_CONFIG) -> None:
    """Check a configuration, pull the models it lacks, and serve it. HOST and PORT say where."""
    # Scripts start commands in the background with SIGINT ignored, and Python leaves it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    run(config)
