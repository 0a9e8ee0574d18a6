"""The tables and the picture of a benchmark."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from statistics import median

from rich.table import Table

from facegraph.step_times import STEPS
from load_tests.bench.comparison import best, plain_route
from load_tests.bench.measurement import Measurement
from load_tests.chart import Line, Panel


def named(entry: Measurement) -> str:
    """What was measured, and with how many clients or processes."""
    unit, plural = ("process", "es") if entry.what == "bare" else ("client", "s")
    return f"{entry.what}, {entry.clients} {unit}{'' if entry.clients == 1 else plural}"


def measured(measurements: Sequence[Measurement], route: str) -> Table:
    """Everything about a route; CPU is in seconds per answer, of the server and of the load generator."""
    limit = best(measurements, "bare", route)
    columns = {each.name: each.metadata for each in fields(Measurement) if each.metadata}
    headings = [metadata["heading"] for metadata in columns.values()]
    table = _table(f"{route}: medians over rounds", "", *headings, "of bare", "replicas")
    for each in measurements:
        if each.route == (plain_route(route) if each.what == "plain" else route):
            figures = (format(getattr(each, name), metadata["form"]) for name, metadata in columns.items())
            replicas = " to ".join(dict.fromkeys(map(str, each.replicas))) if any(each.replicas) else ""
            table.add_row(named(each), *figures, f"{each.rate / limit.rate:.0%}" if limit else "", replicas)
    return table


def steps(measurements: Sequence[Measurement], route: str) -> Table:
    """Where the time of a route's answers went, in medians: bare, and the service alone and at its best.

    With one client there is no queue, so what an answer with more clients takes besides is the queue.
    """
    most = best(measurements, "service", route)
    alone = [each for each in measurements if each.route == route and each.what == "service" and each.clients == 1]
    bare = [each for each in measurements if each.route == route and each.what == "bare"]
    shown = [*bare, *alone, *([most] if most and most not in alone else [])]
    table = _table(f"{route}: where the time went", "ms", *map(named, shown))
    for name, label in STEPS.items():
        if any(name in each.steps for each in shown):
            table.add_row(label, *(f"{each.steps[name]:.1f}" if name in each.steps else "" for each in shown))
    return table


def compared(ratios: Mapping[str, Sequence[float]]) -> Table:
    """The ratios: their median over the rounds, the least and the greatest."""
    table = _table("compared within each round", "", "median", "least", "greatest")
    for name, rounds in ratios.items():
        table.add_row(name, *(f"{value:.3g}" for value in (median(rounds), min(rounds), max(rounds))))
    return table


def panels(measurements: Sequence[Measurement], route: str) -> list[Panel]:
    """A route's rate and response times over the number of clients."""
    rates, times = [], []
    for what, name in (("bare", route), ("service", route), ("plain", plain_route(route))):
        found = {each.clients: each for each in measurements if (each.what, each.route) == (what, name)}
        counts = sorted(found)
        if found:
            rates.append(Line(what, counts, [found[count].rate for count in counts], "o-"))
            times.append(Line(f"{what}, p50", counts, [found[count].p50 for count in counts], "o-"))
            times.append(Line(f"{what}, p95", counts, [found[count].p95 for count in counts], "o:"))
    return [Panel("answers per second", rates, route), Panel("milliseconds", times)]


def _table(title: str, first: str, *headings: str) -> Table:
    """A table with numbers behind its first column."""
    table = Table(first, title=f"\n{title}", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, justify="right")
    return table
