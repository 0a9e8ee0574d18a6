"""A load that changes by steps: so many users for so many seconds, then the next step."""

import re

from locust import LoadTestShape


class Ramp(LoadTestShape):
    """``users:seconds`` steps, separated by commas, as in ``4:30,16:60,1:30``; raises ValueError for another form."""

    # Otherwise Locust would always use the shape that it finds in the locustfile.
    abstract = True

    def __init__(self, text: str, spawn_rate: float | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        if not re.fullmatch(r"([1-9]\d*:\d+(\.\d+)?(,(?!$)|$))+", text):
            raise ValueError(f"{text!r} is not users:seconds steps, as in 4:30,16:60")
        steps = (step.split(":") for step in text.split(","))
        self._steps = [(int(users), float(seconds)) for users, seconds in steps]
        self._rate = spawn_rate or max(users for users, _ in self._steps)

    def tick(self) -> tuple[int, float] | None:
        """The number of users now, and how many come or go per second; None at the end."""
        left = self.get_run_time()  # type: ignore[no-untyped-call]
        for users, seconds in self._steps:
            if left < seconds:
                return users, self._rate
            left -= seconds
        return None
