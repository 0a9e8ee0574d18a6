"""The tables of a benchmark."""

from collections.abc import Iterable, Sequence
from statistics import median

from rich.table import Table

from facegraph.step_times import STEPS
from load_tests.bench.measure import Measurement
from load_tests.bench.ratios import Ratio, plain_route
from load_tests.bench.rounds import best


def named(entry: Measurement) -> str:
    """What was measured, and under how many clients."""
    unit = "process" if entry.what == "bare" else "client"
    return f"{entry.what}, {entry.clients} {unit}{'' if entry.clients == 1 else 'es' if unit == 'process' else 's'}"


def measured(measurements: Sequence[Measurement], route: str) -> Table:
    """All that was measured of a route; CPU is in seconds an answer, of the server and of the load generator."""
    limit = best(measurements, "bare", route)
    times = ("p50 ms", "p95 ms", "p99 ms")
    rest = ("CPU", "client CPU", "MiB", "other cores", "cosine", "refused", "failed", "replicas")
    table = _table(f"{route}: medians over rounds", "", "answers/s", "of bare", *times, *rest)
    rows = {"bare": route, "plain": plain_route(route), "service": route}
    for entry in (entry for entry in measurements if rows.get(entry.what) == entry.route):
        begin, end = entry.replicas
        table.add_row(
            named(entry),
            f"{entry.rate:.2f}",
            f"{entry.rate / limit.rate:.0%}" if limit else "",
            f"{entry.p50:.0f}",
            f"{entry.p95:.0f}",
            f"{entry.p99:.0f}",
            f"{entry.server_cpu:.3f}",
            f"{entry.client_cpu:.4f}",
            f"{entry.memory:.0f}",
            f"{entry.others_cpu:.2f}",
            f"{entry.similarity:.4f}",
            str(entry.refused),
            str(entry.failed),
            "" if entry.what != "service" else f"{begin}" if begin == end else f"{begin} to {end}",
        )
    return table


def step_columns(measurements: Sequence[Measurement], route: str) -> list[Measurement]:
    """Those whose steps are of interest: the bare pipeline, and the service alone and at its best."""
    bare = [entry for entry in measurements if (entry.what, entry.route) == ("bare", route)]
    service = [entry for entry in measurements if (entry.what, entry.route) == ("service", route)]
    most = best(service, "service", route)
    return [*bare, *(entry for entry in service if entry.clients == 1 or entry is most)]


def steps(measurements: Sequence[Measurement], route: str) -> Table:
    """Where the time of a route's answers went, in medians.

    With one client there is no queue, so what more there is of one with more clients is the queue.
    """
    columns = step_columns(measurements, route)
    table = _table(f"{route}: where the time went", "ms", *map(named, columns))
    for name, label in STEPS.items():
        if any(name in entry.steps for entry in columns):
            table.add_row(label, *(f"{entry.steps[name]:.1f}" if name in entry.steps else "" for entry in columns))
    return table


def compared(ratios: Iterable[Ratio]) -> Table:
    """The ratios, each round's and their median."""
    table = _table("compared within each round", "", "median", "least", "greatest")
    for ratio in ratios:
        values = (median(ratio.rounds), min(ratio.rounds), max(ratio.rounds))
        table.add_row(f"{ratio.route}: {ratio.name}", *(f"{value:.3g}" for value in values))
    return table


def overloaded(overload: Measurement, peak: Measurement) -> Table:
    """What became of the requests when there were too many, and how much of the best rate was left."""
    requests = overload.answers + overload.refused + overload.failed
    shares = (overload.answers / requests, overload.refused / requests, overload.failed / requests)
    headings = ("clients", "answered", "503 with Retry-After", "other", "answers/s", "of the best rate", "p95 ms")
    table = _table(f"{overload.route}: overload", *headings)
    table.add_row(
        str(overload.clients),
        *(f"{share:.1%}" for share in shares),
        f"{overload.rate:.2f}",
        f"{overload.rate / peak.rate:.0%}",
        f"{overload.p95:.0f}",
    )
    return table


def _table(title: str, first: str, *headings: str) -> Table:
    """A table with numbers behind its first column."""
    table = Table(first, title=f"\n{title}", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, justify="right")
    return table
