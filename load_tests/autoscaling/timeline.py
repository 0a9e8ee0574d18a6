"""What became of a service under a load that comes in steps, second by second."""

from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from load_tests.work import Record

IDLE = "idle"
"""The phase in which nobody asks."""


@dataclass(frozen=True)
class Phase:
    """A step of the load.

    Attributes:
        name: of the route that was asked, or `IDLE`.
        begin, end: seconds.
    """

    name: str
    begin: float
    end: float


@dataclass(frozen=True)
class Look:
    """The replicas of each deployment by its name, at a moment in seconds."""

    at: float
    replicas: Mapping[str, int]


@dataclass(frozen=True)
class Second:
    """What came between two looks.

    Attributes:
        begin, end: of the looks.
        replicas: at the end.
        answers: that arrived.
        others: requests that were refused or failed.
        p50, p95: milliseconds of an answer; None where none arrived.
    """

    begin: float
    end: float
    replicas: Mapping[str, int]
    answers: int
    others: int
    p50: float | None
    p95: float | None

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / (self.end - self.begin)


def seconds(looks: Sequence[Look], records: Iterable[Record], start: float) -> list[Second]:
    """What of `records` came to an end between each of `looks` and the next.

    Args:
        start: of the looks' time, by `time.monotonic`.
    """
    moments = [start + look.at for look in looks]
    between: list[list[Record]] = [[] for _ in range(len(looks) + 1)]
    for record in records:
        between[bisect(moments, record.ended)].append(record)
    pairs = zip(looks, looks[1:], between[1:], strict=False)
    return [_second(before.at, after, arrived) for before, after, arrived in pairs]


def _second(begin: float, look: Look, arrived: Sequence[Record]) -> Second:
    times = [record.answer.milliseconds for record in arrived if record.answer.kind == "answered"]
    p50, p95 = np.percentile(times, [50, 95]).tolist() if times else (None, None)
    return Second(begin, look.at, look.replicas, len(times), len(arrived) - len(times), p50, p95)


def within(phase: Phase, entries: Sequence[Second]) -> list[Second]:
    """Those of `entries` that ended in `phase`."""
    return [entry for entry in entries if phase.begin < entry.end <= phase.end]
