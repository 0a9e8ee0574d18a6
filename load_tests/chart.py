"""Pictures of measurements: panels of lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Line:
    """A line in one of matplotlib's styles."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    style: str = "-"


@dataclass(frozen=True)
class Panel:
    """Lines over one pair of axes."""

    y_label: str
    lines: Sequence[Line]
    title: str = ""


def draw(
    columns: Sequence[Sequence[Panel]], x_label: str, path: Path, shaded: Sequence[tuple[float, float]] = ()
) -> None:
    """Write a PNG file with one column of panels for each of `columns`, which are equally long.

    Args:
        x_label: of every column.
        shaded: stretches of the x axis that are shaded in every panel.
    """
    rows = len(columns[0])
    figure = Figure(figsize=(max(9, 5 * len(columns)), 1 + 1.8 * rows), layout="constrained")
    grid = figure.subplots(rows, len(columns), squeeze=False, sharex="col")
    for axes, panel in zip(grid.T.flat, (panel for column in columns for panel in column), strict=True):
        for line in panel.lines:
            axes.plot(line.x, line.y, line.style, label=line.label)
        for begin, end in shaded:
            axes.axvspan(begin, end, color="black", alpha=0.07, linewidth=0)
        axes.set(xlabel=x_label, ylabel=panel.y_label, title=panel.title)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="x-small", loc="upper left")
        axes.label_outer()
    figure.savefig(path, dpi=110)
