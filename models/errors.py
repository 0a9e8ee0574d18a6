"""The error of a model, for the operator."""


class ModelError(Exception):
    """A model cannot be found, fetched, exported or run. The message says what to do."""
