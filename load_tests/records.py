"""The requests that clients sent, one JSON line each: written by Locust, read by the tools in this folder."""

import json
from collections.abc import Iterable
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any, TextIO

REFUSED = "refused"
"""Prefix of `Request.problem` if the request was refused with ``Retry-After``."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that ended at `ended`, by `time.monotonic`.

    Attributes:
        name: its line in Locust's statistics.
        milliseconds: from sending to the complete response; None if it was refused or its client disconnected.
        problem: what was wrong with the response, or None.
        details: ``status``, the milliseconds of its ``steps`` (see `facegraph.step_times`), and what the user class
            records.
    """

    ended: float
    name: str
    milliseconds: float | None = None
    problem: str | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def answered(self) -> bool:
        """Whether the response was as expected, so that its time counts."""
        return self.problem is None and self.milliseconds is not None

    @property
    def refused(self) -> bool:
        """Whether the service was overloaded."""
        return self.problem is not None and self.problem.startswith(REFUSED)

    @property
    def began(self) -> float:
        """Time when the request was sent; its end time if the duration is unknown."""
        return self.ended - (self.milliseconds or 0) / 1000


def write(file: TextIO, request: Request) -> None:
    """Append a request to a file, as one line."""
    file.write(json.dumps(astuple(request)) + "\n")


def read(path: Path) -> list[Request]:
    """Read the requests in a file that may still be written to; none if it is missing."""
    lines = path.read_text("utf-8").split("\n")[:-1] if path.exists() else []
    return [Request(*json.loads(line)) for line in lines]


def answers_between(requests: Iterable[Request], begin: float, end: float) -> float:
    """Count the responses between two moments, each by the fraction of its duration that lies between them.

    A measurement has a few dozen responses, so one more or less at its edges would change the count by several percent.
    """
    return sum(
        max(0.0, min(each.ended, end) - max(each.began, begin)) / (each.ended - each.began)
        for each in requests
        if each.answered and each.ended > each.began
    )
