"""The errors of configurations and of starts."""


class ConfigError(Exception):
    """A configuration cannot be served. The message says what to change."""


class StartError(Exception):
    """The service cannot start on this machine. The message is one sentence that names what to change."""


class InUseError(StartError):
    """Another process uses the address or the gallery."""
