"""Where a request's time went: what is recorded while it runs, and the header ``Server-Timing`` that tells it.

See https://www.w3.org/TR/server-timing/. Outside a request, recording does nothing. All times are seconds
by `time.perf_counter`.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Timed(Generic[Answer]):
    """What a stage's replica answers, with what it tells of its own time.

    Attributes:
        seconds: that the replica was busy with it.
        steps: seconds of the work's parts by their names, e.g. ``decode``.
    """

    answer: Answer
    seconds: float
    steps: Mapping[str, float] = field(default_factory=dict)


class Recorder:
    """The calls of one request.

    Args:
        started: when the request arrived.
    """

    def __init__(self, started: float) -> None:
        self._started = started
        self._intervals: list[tuple[float, float]] = []
        self._seconds: defaultdict[str, float] = defaultdict(float)
        # Dictionaries without values: sets that keep their order.
        self._labels: defaultdict[str, dict[str, None]] = defaultdict(dict)

    def add(self, kind: str, label: str, start: float, end: float, timed: Timed[Any] | None) -> None:
        """Add a call of a stage, as `record` has it."""
        self._intervals.append((start, end))
        self._labels[kind][label] = None
        self._seconds[kind] += end - start
        if timed is not None:
            self._seconds[f"{kind}-busy"] += timed.seconds
            for step, seconds in timed.steps.items():
                self._seconds[step] += seconds

    def header(self, now: float) -> str:
        """The value of ``Server-Timing``: ``total``, ``ingress``, then each kind of stage in the order of its calls.

        ``ingress`` is the time in which no stage was waited for. The calls of one kind are summed up, and
        may be longer than ``total`` where they ran side by side.
        """
        total = now - self._started
        entries = [_entry("total", total), _entry("ingress", total - covered(self._intervals))]
        entries += [_entry(name, seconds, *self._labels.get(name, ())) for name, seconds in self._seconds.items()]
        return ", ".join(entries)


def covered(intervals: Iterable[tuple[float, float]]) -> float:
    """The length of the union of `intervals`, each of a start and an end."""
    length, reached = 0.0, -math.inf
    for start, end in sorted(intervals):
        length += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return length


# The tasks of a request copy the variable, not the recorder in it: they all write into the same one.
_running: ContextVar[Recorder | None] = ContextVar("_running", default=None)


@contextmanager
def recording(started: float) -> Iterator[Recorder]:
    """Record the calls inside, also those of the tasks that are started there."""
    recorder = Recorder(started)
    token = _running.set(recorder)
    try:
        yield recorder
    finally:
        _running.reset(token)


def record(kind: str, label: str, start: float, end: float, timed: Timed[Any] | None = None) -> None:
    """Record a call of a stage for the running request, if there is one.

    Args:
        kind: of the stage, e.g. ``detector``; a token, as HTTP has it.
        label: which of its kind was called.
        start, end: of the round trip.
        timed: what its replica answered, where it tells its own time.
    """
    recorder = _running.get()
    if recorder is not None:
        recorder.add(kind, label, start, end, timed)


def _entry(name: str, seconds: float, *labels: str) -> str:
    # A role is whatever the configuration calls it; as a JSON string it can break no header.
    described = f";desc={json.dumps(' '.join(labels))}" if labels else ""
    return f"{name}{described};dur={seconds * 1000:.1f}"
