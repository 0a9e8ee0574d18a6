"""What a request did and where its time went: recorded while it runs, told by the header ``Server-Timing``.

See https://www.w3.org/TR/server-timing/. Outside a request, recording does nothing. All times are seconds
by `time.perf_counter`.
"""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

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


Noted = Literal["photo", "face", "liveness", "match", "enrolment"]
"""What outcomes are noted of."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a stage.

    Attributes:
        kind: of the stage, e.g. ``detector``; a token, as HTTP has it.
        label: which of its kind was called, or of the gallery what it was asked to do.
        start, end: of the round trip.
        timed: what its replica answered, where it tells its own time.
        size: photos or faces that it was asked about.
        failure: why there is no answer: the name of the error; empty where there is one, a refusal included.
        repeated: whether it had to be made twice.
    """

    kind: str
    label: str
    start: float
    end: float
    timed: Timed[Any] | None = None
    size: int | None = None
    failure: str = ""
    repeated: bool = False


class Recorder:
    """What one request did.

    Args:
        started: when the request arrived.

    Attributes:
        calls: of stages, in the order of their ends.
        outcomes: how often each came about.
    """

    def __init__(self, started: float) -> None:
        self._started = started
        self.calls: list[Call] = []
        self.outcomes: Counter[tuple[Noted, str]] = Counter()

    def header(self, now: float) -> str:
        """The value of ``Server-Timing``: ``total``, ``ingress``, then each kind of stage in the order of its calls.

        ``ingress`` is the time in which no stage was waited for. The calls of one kind are summed up, and
        may be longer than ``total`` where they ran side by side.
        """
        seconds: defaultdict[str, float] = defaultdict(float)
        # Dictionaries without values: sets that keep their order.
        labels: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for call in self.calls:
            labels[call.kind][call.label] = None
            seconds[call.kind] += call.end - call.start
            if call.timed is not None:
                seconds[f"{call.kind}-busy"] += call.timed.seconds
                for step, took in call.timed.steps.items():
                    seconds[step] += took
        total = now - self._started
        waited = covered((call.start, call.end) for call in self.calls)
        entries = [_entry("total", total), _entry("ingress", total - waited)]
        entries += [_entry(name, took, *labels.get(name, ())) for name, took in seconds.items()]
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


def record(call: Call) -> None:
    """Record a call of a stage for the running request, if there is one."""
    if recorder := _running.get():
        recorder.calls.append(call)


def note(of: Noted, outcome: str, count: int = 1) -> None:
    """Note an outcome for the running request, if there is one: a word from a small set, for it becomes a label."""
    if recorder := _running.get():
        recorder.outcomes[of, outcome] += count


def matched(match: bool) -> bool:
    """Note whether a comparison or a search found a match; gives `match` back."""
    note("match", "match" if match else "no_match")
    return match


def _entry(name: str, seconds: float, *labels: str) -> str:
    # A role is whatever the configuration calls it; as a JSON string it can break no header.
    described = f";desc={json.dumps(' '.join(labels))}" if labels else ""
    return f"{name}{described};dur={seconds * 1000:.1f}"
