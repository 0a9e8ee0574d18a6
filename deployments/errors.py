"""The one error type for a configuration."""


class ConfigError(Exception):
    """A configuration cannot be served. The message says what to change."""
