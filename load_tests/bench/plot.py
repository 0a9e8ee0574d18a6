"""The picture of a benchmark: for each route throughput and times against clients, and where the time went."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from load_tests.bench.measure import Measurement, What
from load_tests.bench.ratios import plain_route
from load_tests.bench.report import named, step_columns
from load_tests.bench.rounds import best

SEGMENTS = {
    "http": "HTTP",
    "ingress": "ingress",
    "detector-hop": "detector: queue, way",
    "decode": "decode",
    "detect": "detect",
    "crop": "crop",
    "measure": "measure",
    "networks-hop": "networks: queue, way",
    "networks-busy": "networks",
    "compare": "compare",
}
"""Steps that follow one another, so that they add up to an answer's time."""


def draw(measurements: Sequence[Measurement], routes: Sequence[str], path: Path) -> None:
    """Write the picture as a PNG file, a column a route."""
    figure = Figure(figsize=(5 * len(routes), 11), layout="constrained")
    rows = figure.subplots(3, len(routes), squeeze=False)
    for (rates, times, bars), route in zip(rows.T, routes, strict=True):
        _rates(rates, measurements, route)
        _times(times, measurements, route)
        # With more clients the queue is so long that nothing else can be seen.
        _bars(
            bars, [entry for entry in step_columns(measurements, route) if entry.what == "bare" or entry.clients == 1]
        )
    figure.savefig(path, dpi=110)


def _rates(axes: Axes, measurements: Sequence[Measurement], route: str) -> None:
    clients, service = _by_clients(measurements, "service", route)
    axes.plot(clients, [entry.rate for entry in service], "o-", label="service")
    if limit := best(measurements, "bare", route):
        axes.axhline(limit.rate, color="black", linestyle="--", label=named(limit))
    if other := plain_route(route):
        clients, plain = _by_clients(measurements, "plain", other)
        axes.plot(clients, [entry.rate for entry in plain], "s-", color="tab:red", label=f"plain service, {other}")
    _finish(axes, "answers a second", route)


def _times(axes: Axes, measurements: Sequence[Measurement], route: str) -> None:
    clients, service = _by_clients(measurements, "service", route)
    axes.plot(clients, [entry.p50 for entry in service], "o-", label="service, p50")
    axes.plot(clients, [entry.p95 for entry in service], "o:", color="tab:blue", label="service, p95")
    for entry in (entry for entry in measurements if (entry.what, entry.route) == ("bare", route)):
        axes.plot(entry.clients, entry.p50, "k*", label=f"{named(entry)}, p50")
    if other := plain_route(route):
        clients, plain = _by_clients(measurements, "plain", other)
        axes.plot(clients, [entry.p50 for entry in plain], "s-", color="tab:red", label="plain service, p50")
        axes.plot(clients, [entry.p95 for entry in plain], "s:", color="tab:red", label="plain service, p95")
    _finish(axes, "milliseconds", route)


def _by_clients(measurements: Sequence[Measurement], what: What, route: str) -> tuple[list[int], list[Measurement]]:
    found = [entry for entry in measurements if (entry.what, entry.route) == (what, route)]
    found.sort(key=lambda entry: entry.clients)
    return [entry.clients for entry in found], found


def _finish(axes: Axes, unit: str, route: str) -> None:
    axes.set(title=route, xlabel="clients", ylabel=unit)
    axes.set_ylim(bottom=0)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:.0f}"))
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")


def _bars(axes: Axes, columns: Sequence[Measurement]) -> None:
    labels = [named(entry).replace(", ", "\n") for entry in columns]
    bottoms = [0.0] * len(columns)
    for number, (name, label) in enumerate(SEGMENTS.items()):
        heights = [entry.steps.get(name, 0.0) for entry in columns]
        axes.bar(labels, heights, bottom=bottoms, label=label, color=f"C{number}")
        bottoms = [bottom + height for bottom, height in zip(bottoms, heights, strict=True)]
    axes.set(ylabel="milliseconds of an answer, medians")
    # Room for the legend above the bars.
    axes.set_ylim(0, 1.5 * max(bottoms) or 1)
    axes.legend(fontsize="small", ncols=2, loc="upper left")
