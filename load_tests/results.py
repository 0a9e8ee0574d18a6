"""How measurements are shown and written down: tables, pictures, and the machine that they were taken on."""

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.table import Table

PACKAGES = {"facenet-pytorch", "mediapipe", "numpy", "onnxruntime", "onnxruntime-gpu", "ray", "torch"}


def table(first: str, *headings: str) -> Table:
    """An empty table with numbers in all columns but the first."""
    made = Table(first, box=None, padding=(0, 2, 0, 0))
    for heading in headings:
        made.add_column(heading, justify="right")
    return made


def machine() -> dict[str, Any]:
    """CPU, load, versions and time, for a JSON file."""
    models = [line for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines() if line.startswith("model name")]
    return {
        "cpu": models[0].partition(": ")[2] if models else "unknown",
        "cores": len(os.sched_getaffinity(0)),
        "load_average_before": os.getloadavg()[0],
        "system": platform.platform(),
        "packages": {each.name: each.version for each in distributions() if each.name in PACKAGES},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def draw(path: Path, panels: Mapping[str, Mapping[str, tuple[Any, Any, str]]]) -> None:
    """Write a PNG file with one panel per y label: named lines of seconds, values and a style of matplotlib."""
    figure = Figure(figsize=(9, 1 + 1.8 * len(panels)), layout="constrained")
    column = figure.subplots(len(panels), squeeze=False, sharex=True)[:, 0]
    for axes, (y_label, lines) in zip(column, panels.items(), strict=True):
        for label, (x, y, style) in lines.items():
            axes.plot(x, y, style, label=label)
        axes.set(ylabel=y_label)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="x-small", loc="upper left")
    column[-1].set(xlabel="seconds")
    figure.savefig(path, dpi=110)
