"""A load that changes by steps: so many users for so many seconds, then the next step."""

import re
from collections.abc import Sequence

from locust import LoadTestShape

_STEP = r"[1-9][0-9]*:[0-9]+(?:\.[0-9]+)?"


def parse_steps(text: str) -> list[tuple[int, float]]:
    """Read ``users:seconds`` steps, separated by commas, as in ``4:30,16:60,1:30``.

    Raises:
        ValueError: the text has another form.
    """
    if not re.fullmatch(f"{_STEP}(?:,{_STEP})*", text):
        raise ValueError(f"{text!r} is not users:seconds steps, as in 4:30,16:60")
    return [(int(users), float(seconds)) for users, seconds in (step.split(":") for step in text.split(","))]


class Ramp(LoadTestShape):
    """The steps of ``--ramp``."""

    # Otherwise Locust would always use the shape that it finds in the locustfile.
    abstract = True

    def __init__(self, steps: Sequence[tuple[int, float]], spawn_rate: float | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._steps = steps
        self._rate = spawn_rate or max(users for users, _ in steps)

    def tick(self) -> tuple[int, float] | None:
        """The number of users now, and how many come or go per second; None at the end."""
        left = self.get_run_time()  # type: ignore[no-untyped-call]
        for users, seconds in self._steps:
            if left < seconds:
                return users, self._rate
            left -= seconds
        return None
