"""What a check finds."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One thing that is as it should be, or not.

    Attributes:
        level: ``problem`` keeps the service from working; a ``warning`` does not.
        what: one line.
        command: what to type; empty where there is nothing to do.
    """

    level: Literal["ok", "warning", "problem"]
    what: str
    command: str = ""
