"""The error that an operator can fix."""


class ModelError(Exception):
    """A model cannot be found, fetched, exported or run. The message says what to do."""
