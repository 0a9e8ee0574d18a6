"""The type of what types a command."""

from collections.abc import Callable

Run = Callable[..., tuple[int, str, str]]
"""From the words after `facegraph` to status, output and errors."""
