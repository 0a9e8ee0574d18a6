"""Limits of a load test, which decide its exit status."""

from collections.abc import Callable, Mapping

from locust.stats import StatsEntry

LIMITS: Mapping[str, tuple[str, Callable[[StatsEntry], float]]] = {
    "max_fail_ratio": ("share of failed and refused requests", lambda total: total.fail_ratio),
    "max_p95_ms": ("95th percentile", lambda total: total.get_response_time_percentile(0.95)),
    "max_avg_ms": ("mean response time", lambda total: total.avg_response_time),
    "min_rps": ("rate of requests served", lambda total: total.total_rps - total.total_fail_per_sec),
}
"""For each option the figure's name, and the figure in Locust's statistics."""


def broken(limits: Mapping[str, float | None], total: StatsEntry) -> list[str]:
    """One line for each limit that is set and broken; no limit holds if no request was served."""
    given = {name: limit for name in LIMITS if (limit := limits[name]) is not None}
    if given and total.num_requests == total.num_failures:
        return ["no request was served"]
    found = {name: LIMITS[name][1](total) for name in given}
    return [
        f"--{name.replace('_', '-')} {limit:g}: the {LIMITS[name][0]} was {found[name]:.4g}"
        for name, limit in given.items()
        if (found[name] < limit if name.startswith("min") else found[name] > limit)
    ]
