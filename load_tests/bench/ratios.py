"""How the service compares with its bare pipeline and with the plain service.

Every ratio is of one round, in which what it compares ran within minutes: a machine's speed drifts by more
than most differences that are of interest here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from load_tests.bench.measure import Measurement, What
from load_tests.bench.rounds import Round, best

PLAIN_ROUTE = "compare"
"""The one route that the plain service has."""


@dataclass(frozen=True)
class Ratio:
    """One comparison of a route, in every round that has both sides.

    Attributes:
        name: what is compared, with the unit of a difference.
        rounds: its value in each round.
    """

    route: str
    name: str
    rounds: tuple[float, ...]


def plain_route(route: str) -> str | None:
    """The plain service's route that answers what `route` is asked; /mediapipe is asked the same as /compare."""
    return PLAIN_ROUTE if route in (PLAIN_ROUTE, "mediapipe") else None


def net_rate(measurement: Measurement, cores: int) -> float:
    """Answers a second if the load generator ran elsewhere, where all cores were busy.

    The generator's share of the machine's CPU time is counted out.
    """
    return measurement.rate / (1 - measurement.client_cpu * measurement.rate / cores)


def ratios(rounds: Sequence[Round], cores: int) -> list[Ratio]:
    """All ratios of all routes; of the service and the plain service their best client counts count.

    Args:
        cores: of the machine.
    """
    routes = dict.fromkeys(entry.route for round_ in rounds for entry in round_)
    found: dict[tuple[str, str], list[float]] = {}
    for round_ in rounds:
        for route in routes:
            for name, value in _of_route(round_, route, cores).items():
                found.setdefault((route, name), []).append(value)
    return [Ratio(route, name, tuple(values)) for (route, name), values in found.items()]


def _of_route(round_: Round, route: str, cores: int) -> dict[str, float]:
    service, limit = best(round_, "service", route), best(round_, "bare", route)
    other = plain_route(route)
    plain = best(round_, "plain", other) if other else None
    found: dict[str, float] = {}
    if service and limit:
        found["rate, service / bare"] = service.rate / limit.rate
        found["the same, load generator counted out"] = net_rate(service, cores) / limit.rate
        found["CPU time an answer, service / bare"] = service.server_cpu / limit.server_cpu
    alone, bare_alone = _alone(round_, "service", route), _alone(round_, "bare", route)
    if alone and bare_alone:
        found["p50 alone, service - bare, ms"] = alone.p50 - bare_alone.p50
    if service and plain:
        found["rate, service / plain"] = service.rate / plain.rate
        found["CPU time an answer, service / plain"] = service.server_cpu / plain.server_cpu
    return found


def _alone(round_: Round, what: What, route: str) -> Measurement | None:
    """With one client, or in one process."""
    return next((entry for entry in round_ if (entry.what, entry.route, entry.clients) == (what, route, 1)), None)
