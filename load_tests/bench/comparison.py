"""How the service compares with its bare pipeline and with the plain service, over several rounds.

Every ratio is taken within one round, whose parts ran within minutes of each other: a machine's speed drifts by more
than most differences that matter here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from statistics import median
from typing import Any

from facegraph.step_times import median_steps
from load_tests.bench.measurement import Measurement, What

Round = Sequence[Measurement]
PLAIN_ROUTE = "compare"
"""The only route of the plain service."""


def best(measurements: Iterable[Measurement], what: What, route: str) -> Measurement | None:
    """The measurement of `what` on `route` with the highest rate."""
    found = [each for each in measurements if (each.what, each.route) == (what, route)]
    return max(found, key=lambda each: each.rate, default=None)


def over_rounds(rounds: Iterable[Round]) -> list[Measurement]:
    """One measurement of each kind: medians of the numbers and sums of the counts, over the rounds that have it."""
    kinds: dict[tuple[str, str, int], list[Measurement]] = {}
    for each in (each for round_ in rounds for each in round_):
        kinds.setdefault((each.what, each.route, each.clients), []).append(each)
    return [
        replace(entries[-1], steps=median_steps(each.steps for each in entries), **_totals(entries))
        for entries in kinds.values()
    ]


def _totals(entries: Round) -> dict[str, Any]:
    """Medians of the numbers and sums of the counts, by field."""
    figures = [(each.name, median if each.type is float else sum) for each in fields(Measurement) if each.metadata]
    return {name: total(getattr(each, name) for each in entries) for name, total in figures}


def plain_route(route: str) -> str | None:
    """The plain service's route for the same request; /mediapipe takes the same one as /compare."""
    return PLAIN_ROUTE if route in (PLAIN_ROUTE, "mediapipe") else None


def ratios(rounds: Sequence[Round]) -> dict[str, list[float]]:
    """All ratios of all routes in each round, by route and name.

    The service and the plain service are taken with the number of clients at which they are best.
    """
    found: dict[str, list[float]] = {}
    for round_ in rounds:
        for route in dict.fromkeys(each.route for each in round_):
            for name, value in _ratios_of(round_, route).items():
                found.setdefault(f"{route}: {name}", []).append(value)
    return found


def _ratios_of(round_: Round, route: str) -> dict[str, float]:
    service, limit = best(round_, "service", route), best(round_, "bare", route)
    other = plain_route(route)
    plain = best(round_, "plain", other) if other else None
    found: dict[str, float] = {}
    if service and limit:
        found["rate, service / bare"] = service.rate / limit.rate
        found["CPU time per answer, service / bare"] = service.server_cpu / limit.server_cpu
    alone = {each.what: each.p50 for each in round_ if (each.route, each.clients) == (route, 1)}
    if "service" in alone and "bare" in alone:
        found["p50 alone, service - bare, ms"] = alone["service"] - alone["bare"]
    if service and plain:
        found["rate, service / plain"] = service.rate / plain.rate
        found["CPU time per answer, service / plain"] = service.server_cpu / plain.server_cpu
    return found
