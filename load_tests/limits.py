"""Limits of a load test, by which its exit status is chosen."""

from collections.abc import Callable, Mapping

from locust.stats import StatsEntry

LIMITS: Mapping[str, tuple[str, str, Callable[[StatsEntry], float]]] = {
    "max_fail_ratio": (
        "Largest share of failed and refused requests: 0.01.",
        "{:.4f} of the requests failed",
        lambda total: total.fail_ratio,
    ),
    "max_p95_ms": (
        "Largest 95th percentile of the response times.",
        "the 95th percentile was {:.0f} ms",
        lambda total: total.get_response_time_percentile(0.95),
    ),
    "max_avg_ms": (
        "Largest mean of the response times.",
        "the mean was {:.1f} ms",
        lambda total: total.avg_response_time,
    ),
    "min_rps": (
        "Fewest requests per second that are served.",
        "{:.2f} requests a second were served",
        lambda total: total.total_rps - total.total_fail_per_sec,
    ),
}
"""For each option its help, what to say of its figure, and the figure in Locust's statistics."""


def broken(limits: Mapping[str, float | None], total: StatsEntry) -> list[str]:
    """One line for each limit that is set and broken; no limit holds if no request was served."""
    given = {name: limit for name in LIMITS if (limit := limits[name]) is not None}
    if given and total.num_requests == total.num_failures:
        return ["no request was served"]
    lines = []
    for name, limit in given.items():
        _, said, figure = LIMITS[name]
        found = figure(total)
        if found < limit if name.startswith("min") else found > limit:
            lines.append(f"--{name.replace('_', '-')} {limit:g}: {said.format(found)}")
    return lines
