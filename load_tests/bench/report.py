"""Tabulates how the service compares with its bare pipeline and with the plain service, over several rounds.

Every ratio is taken within one round, whose parts ran within minutes of each other, because over time a machine's speed
drifts by more than most differences that matter here.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain, product
from statistics import median

from rich.table import Table

from facegraph.medians import medians_by_name
from facegraph.step_times import STEPS
from load_tests.bench.measurement import Measurement
from load_tests.results import table

Round = Sequence[Measurement]
PLAIN = {"/compare": "/compare", "/mediapipe": "/compare"}
"""The plain service's route to compare with, by route of this service."""
COMPARED = {"rate": "rate", "CPU time per answer": "cpu"}


def best(measurements: Iterable[Measurement], what: str, route: str) -> Measurement:
    """Return the measurement of `what` on `route` with the highest rate."""
    found = (each for each in measurements if (each.what, each.route) == (what, route))
    return max(found, key=lambda each: each.numbers["rate"])


def over_rounds(rounds: Iterable[Round]) -> list[Measurement]:
    """Return one measurement of each kind: the sums of counts and the medians of all other numbers over the rounds."""
    kinds: dict[tuple[str, str, int], list[Measurement]] = defaultdict(list)
    for each in chain.from_iterable(rounds):
        kinds[each.what, each.route, each.clients].append(each)
    found = []
    for entries in kinds.values():
        newest = entries[-1]
        typical = replace(
            newest,
            numbers=medians_by_name(each.numbers for each in entries),
            counts={name: sum(each.counts[name] for each in entries) for name in newest.counts},
            steps=medians_by_name(each.steps for each in entries),
            replica_cpu=medians_by_name(each.replica_cpu for each in entries),
            busy_cores=median(each.busy_cores for each in entries),
        )
        found.append(typical)
    return found


def ratios(rounds: Iterable[Round]) -> dict[str, list[float]]:
    """Return the ratios in each round, by route and name. Each part has the number of clients with its highest rate."""
    found: dict[str, list[float]] = defaultdict(list)
    for round_ in rounds:
        for route in dict.fromkeys(each.route for each in round_):
            service, others = best(round_, "service", route), {"bare": best(round_, "bare", route)}
            if route in PLAIN:
                others["plain"] = best(round_, "plain", PLAIN[route])
            for (name, other), (what, number) in product(others.items(), COMPARED.items()):
                ratio = service.numbers[number] / other.numbers[number]
                found[f"{route}: {what}, service / {name}"].append(ratio)
            alone = {each.what: each.numbers["p50"] for each in round_ if (each.route, each.clients) == (route, 1)}
            if "service" in alone:
                found[f"{route}: p50 alone, service - bare, ms"].append(alone["service"] - alone["bare"])
    return found


def measured(measurements: Round, route: str) -> Table:
    """Tabulate a route over all rounds, in the units of `Measurement`."""
    limit = best(measurements, "bare", route).numbers["rate"]
    shown = [each for each in measurements if each.route == (PLAIN.get(route) if each.what == "plain" else route)]
    made = table(route, *shown[0].numbers, *shown[0].counts, "of bare")
    for each in shown:
        figures = (f"{value:.4g}" for value in (*each.numbers.values(), *each.counts.values()))
        made.add_row(f"{each.what}, {each.clients}", *figures, f"{each.numbers['rate'] / limit:.0%}")
    return made


def steps(measurements: Round, route: str) -> Table:
    """Tabulate where the time of a route's responses went, in medians. With one client there is no queue."""
    shown = [each for each in measurements if each.route == route and each.what != "plain"]
    made = table("where the time went, ms", *(f"{each.what}, {each.clients}" for each in shown))
    for name, label in STEPS.items():
        if any(name in each.steps for each in shown):
            made.add_row(label, *(f"{each.steps[name]:.1f}" if name in each.steps else "" for each in shown))
    return made


def compared(ratios: Mapping[str, Sequence[float]]) -> Table:
    """Tabulate the ratios: median, minimum and maximum over the rounds."""
    made = table("compared within each round", "median", "least", "greatest")
    for name, rounds in ratios.items():
        made.add_row(name, *(f"{value:.3g}" for value in (median(rounds), min(rounds), max(rounds))))
    return made
