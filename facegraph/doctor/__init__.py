"""Checks of a machine and of a configuration, one per function, each with a command that helps."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        level: a ``problem`` prevents the service from working, a ``warning`` does not.
        what: one line.
        command: command that helps; empty if there is nothing to do.
    """

    level: Literal["ok", "warning", "problem"]
    what: str
    command: str = ""
