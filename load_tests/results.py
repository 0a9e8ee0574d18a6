"""Presents measurements: tables, plots, JSON files, and a description of the machine."""

import json
import os
import platform
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from load_tests import RESULTS
from load_tests.processes import Sample
from load_tests.records import Request

PACKAGES = {
    *("facenet-pytorch", "mediapipe", "numpy", "onnxruntime", "onnxruntime-gpu", "ray", "torch"),
    *("nvidia-cuda-runtime", "nvidia-cudnn-cu13", "tensorrt"),
}


def table(first: str, *headings: str) -> Table:
    """Create a table without rows. All columns except the first are right-aligned, for numbers."""
    made = Table(first, box=None, padding=(0, 2, 0, 0))
    for heading in headings:
        made.add_column(heading, justify="right")
    return made


def wide_console() -> Console:
    """Return a console. If its output is a file or a pipe, its lines are long enough for the widest table."""
    return Console(width=None if sys.stdout.isatty() else 160, highlight=False)


def machine() -> dict[str, Any]:
    """Return CPU, load, versions and time, for a JSON file. Call it before the measurement."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text("utf-8"))
    return {
        "cpu": model[1] if model else "unknown",
        "cores": len(os.sched_getaffinity(0)),
        "load_average_before": os.getloadavg()[0],
        "system": platform.platform(),
        "packages": {each.name: each.version for each in distributions() if each.name in PACKAGES},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def save(name: str, figures: Mapping[str, Any]) -> None:
    """Write a JSON file to the results folder."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


def draw(
    path: Path, samples: Sequence[Sample], figures: Mapping[str, Sequence[float]], requests: Iterable[Request]
) -> None:
    """Write a PNG file with a panel for each series of values, one per sample, and one for the response times."""
    start, answers = samples[0].at, [each for each in requests if each.answered]
    moments = [each.at - start for each in samples]
    panels = [(what, moments, values, "-") for what, values in figures.items()]
    ended, times = [each.ended - start for each in answers], [each.milliseconds or 0 for each in answers]
    panels.append(("answers, ms", ended, times, "."))
    figure = Figure(figsize=(9, 1 + 1.8 * len(panels)), layout="constrained")
    column = figure.subplots(len(panels), squeeze=False, sharex=True)[:, 0]
    for axes, (what, x, y, style) in zip(column, panels, strict=True):
        axes.plot(x, y, style, markersize=2)
        axes.set(title=what)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    column[-1].set(xlabel="seconds")
    figure.savefig(path, dpi=110)
