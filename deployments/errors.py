"""Errors in configurations and at startup."""


class ConfigError(Exception):
    """A configuration cannot be served. The message explains what to change."""


class StartError(Exception):
    """The service cannot start on this machine. The message is one sentence that names what to change."""


class InUseError(StartError):
    """Another process uses the address or the gallery."""
