"""`facegraph serve`."""

import signal

from deployments.errors import ConfigError, StartError
from deployments.serving import run
from facegraph.cli.options import DEFAULT_CONFIG, ConfigArgument
from facegraph.cli.output import command_errors


@command_errors(ConfigError, StartError)
def serve_command(config: ConfigArgument = DEFAULT_CONFIG) -> None:
    """Check a configuration, pull missing models and start the service. HOST and PORT override its address."""
    # Shells start background jobs of scripts with SIGINT ignored, and Python inherits that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    run(config)
