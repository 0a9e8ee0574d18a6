"""Whether a service grew while it worked: the first quarter after a warm-up compared with the last.

Each figure is the median of its quarter, so that neither a peak nor a clean-up at its edge decides.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from load_tests.records import Request
from load_tests.samples import Sample

FEWEST = 10
"""Answers that a route needs in either quarter for its time to count."""
CLEAN_UP_FILES = 50
"""Files by which a gallery differs between two clean-ups."""
ANY_ROUTE = 1.0
"""Growth that a single route's time may have: its median is of few answers."""

RESOURCES: dict[str, tuple[Callable[[Sample], float], float]] = {
    "memory, MiB": (lambda sample: sample.memory, 0),
    "memory of the replicas, MiB": (lambda sample: sample.replica_memory, 0),
    "open files": (lambda sample: sample.open_files, 0),
    "threads": (lambda sample: sample.threads, 0),
    "files of the gallery": (lambda sample: sample.gallery_files, CLEAN_UP_FILES),
}
"""The figures of a sample that must not grow, and by how much each may besides its bound."""


class TooShortError(Exception):
    """A quarter has nothing to compare."""


@dataclass(frozen=True)
class Change:
    """A figure in the first quarter and in the last; it may grow by the share `bound`, and by `slack` besides."""

    what: str
    first: float
    last: float
    bound: float
    slack: float = 0.0

    @property
    def growth(self) -> float:
        """As a share; negative if it became smaller."""
        if self.first:
            return self.last / self.first - 1
        return float("inf") if self.last else 0.0

    @property
    def broken(self) -> bool:
        """Whether it grew by more than it may."""
        return self.last > self.first * (1 + self.bound) + self.slack


@dataclass(frozen=True)
class Quarters:
    """The first and the last quarter of the time from `begin` to `end`, in seconds of `time.monotonic`."""

    begin: float
    end: float

    @property
    def spans(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Begin and end of both quarters."""
        length = (self.end - self.begin) / 4
        return (self.begin, self.begin + length), (self.end - length, self.end)

    def number(self, at: float) -> int | None:
        """0 for a moment in the first quarter, 1 in the last, None elsewhere."""
        return next((number for number, (begin, end) in enumerate(self.spans) if begin <= at < end), None)


def resources(samples: Iterable[Sample], quarters: Quarters, bound: float) -> list[Change]:
    """The changes of memory, files and threads, and the number of replicas that ended.

    Raises:
        TooShortError: a quarter has no sample.
    """
    parts: tuple[list[Sample], list[Sample]] = ([], [])
    for sample in samples:
        if (number := quarters.number(sample.at)) is not None:
            parts[number].append(sample)
    if not all(parts):
        raise TooShortError("there is no sample of the service in the first quarter or in the last")
    first, last = parts
    changes = [
        Change(what, median(map(figure, first)), median(map(figure, last)), bound, slack)
        for what, (figure, slack) in RESOURCES.items()
    ]
    # What a replica leaked is gone when it ends.
    return [*changes, Change("replicas that ended", 0, len(first[0].replicas.keys() - last[-1].replicas.keys()), 0)]


def times(requests: Iterable[Request], quarters: Quarters, bound: float) -> list[Change]:
    """The change of a typical route's time, the median of all routes' ratios; then each route's, the slowest first.

    Only answers count, and only routes with enough of them.

    Raises:
        TooShortError: no route has enough.
    """
    found: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for request in requests:
        number = quarters.number(request.ended)
        if number is not None and request.problem is None and request.milliseconds is not None:
            found[request.name][number].append(request.milliseconds)
    routes = [
        Change(f"{name}, ms", median(first), median(last), ANY_ROUTE)
        for name, (first, last) in found.items()
        if min(len(first), len(last)) >= FEWEST
    ]
    if not routes:
        raise TooShortError(f"no route was answered {FEWEST} times in the first quarter and in the last")
    typical = Change("time of a typical route", 1.0, 1 + median(route.growth for route in routes), bound)
    return [typical, *sorted(routes, key=lambda route: -route.last)]
