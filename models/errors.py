"""The one error type for what an operator has to mend."""


class ModelError(Exception):
    """A model cannot be found, fetched, exported or run. The message says what to do about it."""
