"""The picture of a soak: memory, files and threads, and times, with the two quarters that are compared."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from load_tests.soak.records import Request
from load_tests.soak.samples import REPLICA, Sample
from load_tests.soak.verdict import Quarters

BIN_S = 10


def draw(samples: Sequence[Sample], requests: Sequence[Request], quarters: Quarters, path: Path) -> None:
    """Write the picture as a PNG file."""
    figure = Figure(figsize=(9, 11), layout="constrained")
    start = samples[0].at
    strips = figure.subplots(4, 1, sharex=True)
    memory, counts, gallery, times = strips
    moments = [sample.at - start for sample in samples]
    memory.plot(moments, [sum(sample.memory.values()) for sample in samples], label="all processes")
    for kind in sorted({kind for sample in samples for kind in sample.memory if kind.startswith(REPLICA)}):
        memory.plot(moments, [sample.memory.get(kind, np.nan) for sample in samples], linewidth=0.8, label=kind)
    memory.set_ylabel("MiB (PSS)")
    counts.plot(moments, [sum(sample.open_files.values()) for sample in samples], label="open files")
    counts.plot(moments, [sum(sample.threads.values()) for sample in samples], label="threads")
    gallery.plot(moments, [sample.gallery_files for sample in samples], label="files of the gallery")
    _times(times, requests, start, samples[-1].at)
    for axes in strips:
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="x-small", loc="upper left", ncols=2)
        for begin, end in ((quarters.begin, quarters.first_end), (quarters.last_begin, quarters.end)):
            axes.axvspan(begin - start, end - start, color="black", alpha=0.07, linewidth=0)
    times.set_xlabel("seconds")
    figure.savefig(path, dpi=110)


def _times(axes: Axes, requests: Sequence[Request], start: float, end: float) -> None:
    edges = np.arange(0, end - start + BIN_S, BIN_S)
    timed = [
        (request.ended - start, request.milliseconds)
        for request in requests
        if request.problem is None and request.milliseconds is not None
    ]
    bins: list[list[float]] = [[] for _ in edges[1:]]
    for at, milliseconds in timed:
        if 0 <= at < edges[-1]:
            bins[int(at // BIN_S)].append(milliseconds)
    middles = edges[:-1] + BIN_S / 2
    for share, style in ((50, "-"), (95, ":")):
        values = [float(np.percentile(entries, share)) if entries else np.nan for entries in bins]
        axes.plot(middles, values, style, color="tab:blue", label=f"p{share} of every route together")
    axes.set_ylabel("milliseconds")
