"""Tables and plots of the measurements."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

from load_tests.gpu.pipeline import Rate
from load_tests.gpu.timing import Row
from load_tests.results import table

COLUMNS = 4
"""Panels side by side in the plot."""


def networks_table(rows: Iterable[Row], sizes: Sequence[int]) -> Table:
    """Tabulate networks: a row per runtime, a column per size of batch."""
    made = table("ms, p50 (p95)", "", *map(str, sizes), "most items/s", "parity")
    for row in rows:
        cells = [row.batches.get(size) for size in sizes]
        times = (f"{cell['p50']:.3g} ({cell['p95']:.3g})" if cell else "" for cell in cells)
        most = max((cell["items_per_s"] for cell in row.batches.values()), default=0)
        difference = "" if row.difference is None else f"{row.difference:.2g} {row.measure}"
        made.add_row(row.network, row.runtime, *times, f"{most:,.0f}", difference)
    return made


def rates_table(rates: Iterable[Rate]) -> Table:
    """Tabulate the pipelines."""
    made = table("from JPEG to embedding", "", "threads", "photos/s")
    for each in rates:
        made.add_row(each.detector, each.embedder, str(each.threads), f"{each.photos_per_s:.1f}")
    return made


def draw(path: Path, title: str, rows: Sequence[Row]) -> None:
    """Write a PNG file with a panel per network: items per second by size of batch, a line per runtime."""
    networks, runtimes = (
        [*dict.fromkeys(names)] for names in zip(*((r.network, r.runtime) for r in rows), strict=True)
    )
    lines = -(-len(networks) // COLUMNS)
    figure = Figure(figsize=(4 * COLUMNS, 1 + 3 * lines), layout="constrained")
    panels = {name: figure.add_subplot(lines, COLUMNS, number) for number, name in enumerate(networks, 1)}
    for row in rows:
        rates = [cell["items_per_s"] for cell in row.batches.values()]
        colour = f"C{runtimes.index(row.runtime)}"
        panels[row.network].plot([*row.batches], rates, ".-", color=colour, label=row.runtime)
    for name, panel in panels.items():
        shown = [cell for row in rows if row.network == name for cell in row.batches.items()]
        panel.set(title=name, xlabel="batch", ylabel="items/s", xscale="log", yscale="log")
        sizes = sorted({size for size, _ in shown})
        panel.set_xticks(sizes, [*map(str, sizes)])
        panel.minorticks_off()
        # Whole decades, because labels between them are long.
        logarithms = np.log10([cell["items_per_s"] for _, cell in shown] or [1])
        panel.set_ylim(10 ** np.floor(logarithms.min()), 10 ** np.ceil(logarithms.max()))
        panel.grid(alpha=0.3)
        panel.legend(fontsize=7)
    figure.suptitle(title)
    figure.savefig(path, dpi=110)
