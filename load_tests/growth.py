"""Whether a service grew while it worked: the first quarter of a time compared with the last.

Each figure is the median of its quarter, so that neither a peak nor a clean-up at its edge decides.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from load_tests.processes import Sample
from load_tests.records import Request

MOST_GROWTH, MOST_SLOWDOWN, ANY_ROUTE = 0.10, 0.25, 1.0
"""Bounds of resources, of a typical route's time, and of a single route's, whose median is of few answers."""
FEWEST = 10
"""Answers that a route needs in either quarter for its time to count."""
CLEAN_UP_FILES = 50
"""Files by which a gallery differs between two clean-ups."""

RESOURCES: dict[str, tuple[Callable[[Sample], float], float]] = {
    "memory, MiB": (lambda sample: sample.memory, 0),
    "memory of the replicas, MiB": (lambda sample: sample.replica_memory, 0),
    "open files": (lambda sample: sample.open_files, 0),
    "threads": (lambda sample: sample.threads, 0),
    "files of the gallery": (lambda sample: sample.gallery_files, CLEAN_UP_FILES),
}
"""The figures of a sample that must not grow, and by how much each may besides its bound."""


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


def changes(begin: float, end: float, samples: Iterable[Sample], requests: Iterable[Request]) -> list[Change]:
    """All figures of a service between two moments of `time.monotonic`.

    These are its resources, the replicas that ended, the time of a typical route (the median of all routes' ratios),
    and each route's, the slowest first. Only answers count, and only routes with enough of them.

    Raises:
        StatisticsError: a quarter has no sample, or no route has enough answers.
    """
    length = (end - begin) / 4
    spans = ((begin, begin + length), (end - length, end))
    first, last = ([each for each in samples if start <= each.at < stop] for start, stop in spans)
    found = [
        Change(what, median(map(figure, first)), median(map(figure, last)), MOST_GROWTH, slack)
        for what, (figure, slack) in RESOURCES.items()
    ]
    # What a replica leaked is gone when it ends.
    found.append(Change("replicas that ended", 0, len(first[0].replicas.keys() - last[-1].replicas.keys()), 0))
    times: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for request in requests:
        for (start, stop), part in zip(spans, times[request.name], strict=True):
            if start <= request.ended < stop and request.answered:
                part.append(request.milliseconds or 0)
    routes = [
        Change(f"{name}, ms", median(early), median(late), ANY_ROUTE)
        for name, (early, late) in times.items()
        if min(len(early), len(late)) >= FEWEST
    ]
    typical = Change("time of a typical route", 1.0, 1 + median(route.growth for route in routes), MOST_SLOWDOWN)
    return [*found, typical, *sorted(routes, key=lambda route: -route.last)]
