"""A schedule of users: so many of them for so many seconds, then the next step."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """How many users there are, and for how many seconds."""

    users: int
    seconds: float


def steps(text: str) -> list[Step]:
    """Read ``users:seconds`` steps, comma-separated, as in ``4:30,16:60,1:30``.

    Raises:
        ValueError: it is not of that form, or a step has no users or lasts no time.
    """
    read = []
    for part in text.split(","):
        users, _, seconds = part.partition(":")
        try:
            step = Step(int(users), float(seconds))
        except ValueError:
            raise ValueError(f"{part!r} is not users:seconds, as in 4:30,16:60") from None
        if step.users < 1 or not 0 < step.seconds < float("inf"):
            raise ValueError(f"{part!r} is not at least one user for a time")
        read.append(step)
    return read


def users_at(schedule: Sequence[Step], seconds: float) -> int | None:
    """How many users there are `seconds` after the start; None when the schedule is over."""
    for step in schedule:
        if seconds < step.seconds:
            return step.users
        seconds -= step.seconds
    return None
