"""Whether a service grew while it worked: the first quarter after a warm-up compared with the last.

Each figure is the median of its quarter, so that neither a peak nor a clean-up that happens to be near decides.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from load_tests.soak.records import Request
from load_tests.soak.samples import REPLICA, Sample

FEWEST = 10
"""Answers that a route needs in either quarter for its time to count."""
CLEAN_UP_FILES = 50
"""Files that a gallery may have more or less, by where in the time between two clean-ups it was looked at."""


class TooShortError(Exception):
    """A quarter has nothing to compare."""


@dataclass(frozen=True)
class Bounds:
    """What may grow by how much, as a share.

    Attributes:
        growth: of memory, open files, threads and the gallery's files.
        slowdown: of the time of a typical route.
        route: of the time of any single route, whose median is of few answers.
    """

    growth: float = 0.10
    slowdown: float = 0.25
    route: float = 1.0


@dataclass(frozen=True)
class Change:
    """A figure in the first quarter and in the last.

    Attributes:
        what: it is of.
        unit: of `first` and `last`.
        bound: share by which it may grow.
        slack: by which it may grow besides.
    """

    what: str
    unit: str
    first: float
    last: float
    bound: float
    slack: float = 0.0

    @property
    def growth(self) -> float:
        """As a share; less than 0 where it became smaller."""
        if self.first:
            return self.last / self.first - 1
        return float("inf") if self.last else 0.0

    @property
    def broken(self) -> bool:
        """Whether it grew by more than it may."""
        return self.last > self.first * (1 + self.bound) + self.slack


@dataclass(frozen=True)
class Quarters:
    """The first and the last quarter of a stretch of time from `begin` to `end`, in seconds."""

    begin: float
    end: float

    @property
    def first_end(self) -> float:
        """Where the first one ends."""
        return self.begin + (self.end - self.begin) / 4

    @property
    def last_begin(self) -> float:
        """Where the last one begins."""
        return self.end - (self.end - self.begin) / 4

    def number(self, at: float) -> int | None:
        """0 for a moment in the first one, 1 in the last one, None elsewhere."""
        if self.begin <= at < self.first_end:
            return 0
        return 1 if self.last_begin <= at < self.end else None


def resources(samples: Iterable[Sample], quarters: Quarters, bounds: Bounds) -> list[Change]:
    """The changes of what the service has of the machine, and how many of its replicas ended.

    Raises:
        TooShortError: a quarter has no sample.
    """
    parts = _parted(samples, quarters)

    def change(what: str, unit: str, figure: Callable[[Sample], float], slack: float = 0.0) -> Change:
        first, last = (median(map(figure, part)) for part in parts)
        return Change(what, unit, first, last, bounds.growth, slack)

    ended = parts[0][0].replicas - parts[1][-1].replicas
    return [
        change("memory", "MiB", lambda sample: sum(sample.memory.values())),
        change("memory of the replicas", "MiB", _of_replicas),
        change("open files", "", lambda sample: sum(sample.open_files.values())),
        change("threads", "", lambda sample: sum(sample.threads.values())),
        change("files of the gallery", "", lambda sample: sample.gallery_files, CLEAN_UP_FILES),
        # What one had leaked is gone with it.
        Change("replicas that ended", "", 0, len(ended), 0),
    ]


def memory_by_kind(samples: Iterable[Sample], quarters: Quarters) -> dict[str, tuple[float, float]]:
    """MiB of each kind of process in the two quarters, the largest first; 0 where there was none.

    Raises:
        TooShortError: a quarter has no sample.
    """
    parts = _parted(samples, quarters)
    kinds = {kind for part in parts for sample in part for kind in sample.memory}
    found = {
        kind: (
            median(sample.memory.get(kind, 0.0) for sample in parts[0]),
            median(sample.memory.get(kind, 0.0) for sample in parts[1]),
        )
        for kind in kinds
    }
    return dict(sorted(found.items(), key=lambda entry: -entry[1][1]))


def times(requests: Iterable[Request], quarters: Quarters, bounds: Bounds) -> list[Change]:
    """The changes of each route's time, the slowest first, behind that of a typical one: the median of their ratios.

    Requests that were refused or went wrong do not count, and routes that were answered too seldom neither.

    Raises:
        TooShortError: every route was.
    """
    found: Mapping[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for request in requests:
        number = quarters.number(request.ended)
        if number is not None and request.problem is None and request.milliseconds is not None:
            found[request.name][number].append(request.milliseconds)
    routes = [
        Change(name, "ms", median(first), median(last), bounds.route)
        for name, (first, last) in found.items()
        if min(len(first), len(last)) >= FEWEST
    ]
    if not routes:
        raise TooShortError(f"no route was answered {FEWEST} times in the first quarter and in the last")
    typical = Change("time of a typical route", "", 1.0, 1 + median(route.growth for route in routes), bounds.slowdown)
    return [typical, *sorted(routes, key=lambda route: -route.last)]


def _of_replicas(sample: Sample) -> float:
    return sum(mib for kind, mib in sample.memory.items() if kind.startswith(REPLICA))


def _parted(samples: Iterable[Sample], quarters: Quarters) -> tuple[Sequence[Sample], Sequence[Sample]]:
    parts: tuple[list[Sample], list[Sample]] = ([], [])
    for sample in samples:
        if (number := quarters.number(sample.at)) is not None:
            parts[number].append(sample)
    if not all(parts):
        raise TooShortError("the service was not looked at in the first quarter and in the last")
    return parts
