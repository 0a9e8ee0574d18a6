"""The type of the fixture that runs a command."""

from collections.abc import Callable

Run = Callable[..., tuple[int, str, str]]
"""Takes the words after `facegraph` and returns exit status, stdout and stderr."""
