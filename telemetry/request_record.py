"""Records the stage calls and outcomes of a request while it runs, and formats the ``Server-Timing`` header.

See https://www.w3.org/TR/server-timing/. Outside a request, recording does nothing. All times are seconds of
`time.perf_counter`.
"""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class TimedAnswer(Generic[Answer]):
    """The result of a stage's replica, with its processing time.

    Attributes:
        seconds: how long the replica worked on the answer.
        steps: seconds by step, e.g. ``decode``.
    """

    answer: Answer
    seconds: float
    steps: Mapping[str, float] = field(default_factory=dict)


OutcomeKind = Literal["photo", "face", "liveness", "match", "enrolment"]
"""What an outcome is about."""


@dataclass(frozen=True, slots=True)
class StageCall:
    """A call of a stage.

    Attributes:
        kind: kind of the stage, e.g. ``detector``; an HTTP token.
        label: role of the stage; for the gallery, the operation.
        start, end: start and end of the round trip.
        timed: the replica's answer, if it reports its own time.
        size: number of photos or faces in the call.
        failure: name of the error if the call failed; empty otherwise. `RequestError` is a result, not a failure.
        repeated: whether the call was retried.
    """

    kind: str
    label: str
    start: float
    end: float
    timed: TimedAnswer[Any] | None = None
    size: int | None = None
    failure: str = ""
    repeated: bool = False


class RequestRecord:
    """The record of one request.

    Args:
        started: when the request arrived.

    Attributes:
        calls: its stage calls, in the order in which they ended.
        outcomes: number of times that each outcome occurred.
    """

    def __init__(self, started: float) -> None:
        self._started = started
        self.calls: list[StageCall] = []
        self.outcomes: Counter[tuple[OutcomeKind, str]] = Counter()

    def header(self, now: float) -> str:
        """Return the value of ``Server-Timing``: ``total``, ``ingress``, then each kind of stage in call order.

        ``ingress`` is the time during which no stage call was running. The calls of a kind are summed; the sum can
        exceed ``total`` if they ran concurrently.
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


@dataclass(frozen=True, slots=True)
class AnsweredRequest:
    """A request that has been completed, or whose client has disconnected.

    Attributes:
        method: the HTTP method; ``OTHER`` if no route has it.
        route: the path's template, e.g. ``/v1/collections/{collection}``; ``other`` if no route matches.
        status: the HTTP status; 499 if the client left before the answer began.
        code: the error code; empty if there was no error.
        seconds: from the arrival of the request to the end of its answer.
        did: its stage calls and outcomes.
    """

    method: str
    route: str
    status: int
    code: str
    seconds: float
    did: RequestRecord


Observe = Callable[[AnsweredRequest], None]
"""Called once for each request. Must return within microseconds, since other requests wait."""


def unobserved(answered: AnsweredRequest) -> None:
    """Report nothing."""


def covered(intervals: Iterable[tuple[float, float]]) -> float:
    """Return the length of the union of `intervals`, each a start and an end."""
    length, reached = 0.0, -math.inf
    for start, end in sorted(intervals):
        length += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return length


# The tasks of a request copy the variable, not the record in it, so they all write into the same record.
_current: ContextVar[RequestRecord | None] = ContextVar("_current", default=None)


@contextmanager
def recording(started: float) -> Iterator[RequestRecord]:
    """Record what happens inside the block, in this task and in tasks that it starts."""
    current = RequestRecord(started)
    token = _current.set(current)
    try:
        yield current
    finally:
        _current.reset(token)


def record_call(call: StageCall) -> None:
    """Record a stage call of the current request, if there is one."""
    if current := _current.get():
        current.calls.append(call)


def count_outcome(of: OutcomeKind, outcome: str, count: int = 1) -> None:
    """Count an outcome of the current request, if there is one. It becomes a metric label: use few distinct words."""
    if current := _current.get():
        current.outcomes[of, outcome] += count


def count_match(match: bool) -> bool:
    """Count a comparison or search as a match or not, and return `match`."""
    count_outcome("match", "match" if match else "no_match")
    return match


def _entry(name: str, seconds: float, *labels: str) -> str:
    # The configuration chooses the roles; as JSON strings they cannot break the header.
    described = f";desc={json.dumps(' '.join(labels))}" if labels else ""
    return f"{name}{described};dur={seconds * 1000:.1f}"
