"""Tables and plots of the measurements."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from rich.table import Table

from load_tests.gpu.networks import Row
from load_tests.gpu.pipeline import PipelineRate
from load_tests.gpu.runtimes import RUNTIMES
from load_tests.results import table

COLUMNS = 4
"""Panels side by side in the plot."""


def networks_table(rows: Iterable[Row], sizes: Sequence[int]) -> Table:
    """Tabulate networks: a row per runtime, a column per batch size."""
    made = table("ms, p50 (p95)", "", *map(str, sizes), "most items/s", "parity")
    for row in rows:
        cells = [row.batches.get(size) for size in sizes]
        times = (f"{cell['p50']:.3g} ({cell['p95']:.3g})" if cell else "" for cell in cells)
        most = max((cell["items_per_s"] for cell in row.batches.values()), default=0)
        difference = "" if row.difference is None else f"{row.difference:.2g} {row.measure}"
        made.add_row(row.network, row.runtime, *times, f"{most:,.0f}", difference)
    return made


def rates_table(rates: Iterable[PipelineRate]) -> Table:
    """Tabulate the pipelines."""
    made = table("from JPEG to embedding", "", "threads", "photos/s")
    for each in rates:
        made.add_row(each.detector, each.embedder, str(each.threads), f"{each.photos_per_s:.1f}")
    return made


def draw_networks(path: Path, title: str, rows: Sequence[Row]) -> None:
    """Write a PNG file with a panel per network: items per second by batch size, with a line per runtime."""
    colours = {str(runtime): f"C{number}" for number, runtime in enumerate(RUNTIMES)}
    networks = dict.fromkeys(row.network for row in rows)
    lines = -(-len(networks) // COLUMNS)
    figure = Figure(figsize=(4 * COLUMNS, 1 + 3 * lines), layout="constrained")
    panels = {network: figure.add_subplot(lines, COLUMNS, number) for number, network in enumerate(networks, 1)}
    for row in rows:
        rates = [cell["items_per_s"] for cell in row.batches.values()]
        panels[row.network].plot([*row.batches], rates, ".-", color=colours[row.runtime], label=row.runtime)
    for network, panel in panels.items():
        panel.set(title=network, xlabel="batch", ylabel="items/s", yscale="log")
        panel.set_xscale("log", base=2)
        panel.xaxis.set_major_formatter("{x:g}")
        panel.grid(alpha=0.3)
        panel.legend(fontsize=7)
    figure.suptitle(title)
    figure.savefig(path, dpi=110)
