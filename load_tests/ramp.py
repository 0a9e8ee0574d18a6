"""A load that changes by steps: so many users for so many seconds, then the next step."""

from collections.abc import Sequence

from locust import LoadTestShape

Steps = Sequence[tuple[int, float]]
"""Numbers of users, and for how many seconds."""


def parse_steps(text: str) -> Steps:
    """Read ``users:seconds`` steps, separated by commas, as in ``4:30,16:60,1:30``.

    Raises:
        ValueError: the text has another form, or a step has no users or no duration.
    """
    steps = []
    for part in text.split(","):
        users, _, seconds = part.partition(":")
        try:
            step = int(users), float(seconds)
        except ValueError:
            raise ValueError(f"{part!r} is not users:seconds, as in 4:30,16:60") from None
        if step[0] < 1 or not 0 < step[1] < float("inf"):
            raise ValueError(f"{part!r} is not at least one user for a time")
        steps.append(step)
    return steps


def users_at(steps: Steps, seconds: float) -> int | None:
    """The number of users `seconds` after the start; None after the last step."""
    for users, length in steps:
        if seconds < length:
            return users
        seconds -= length
    return None


class Ramp(LoadTestShape):
    """The steps of ``--ramp``."""

    # Otherwise Locust would always use the shape that it finds in the locustfile.
    abstract = True

    def __init__(self, steps: Steps, spawn_rate: float | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._steps = steps
        self._rate = spawn_rate or max(users for users, _ in steps)

    def tick(self) -> tuple[int, float] | None:
        """The number of users now, and how many come or go per second; None at the end."""
        users = users_at(self._steps, self.get_run_time())  # type: ignore[no-untyped-call]
        return None if users is None else (users, self._rate)
