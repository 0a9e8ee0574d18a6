"""The picture of a load that comes in steps: each deployment's replicas, and below them rate and times."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from load_tests.autoscaling.timeline import IDLE, Phase, Second


def draw(phases: Sequence[Phase], entries: Sequence[Second], clients: int, path: Path) -> None:
    """Write the picture as a PNG file, a strip for each deployment."""
    names = sorted({name for entry in entries for name in entry.replicas})
    most = max(count for entry in entries for count in entry.replicas.values())
    heights = [1.0] * len(names) + [3.0, 3.0]
    figure = Figure(figsize=(11, 0.6 * sum(heights) + 1), layout="constrained")
    strips = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    for number, (axes, name) in enumerate(zip(strips, names, strict=False)):
        _replicas(axes, entries, name, most, f"C{number}")
    _rate(strips[-2], entries)
    _times(strips[-1], entries)
    for phase in phases:
        text = IDLE if phase.name == IDLE else f"/{phase.name}, {clients} clients"
        middle = (phase.begin + phase.end) / 2
        strips[0].annotate(text, (middle, 1.1), xycoords=("data", "axes fraction"), ha="center", annotation_clip=False)
        for axes in strips:
            axes.axvline(phase.begin, color="black", linewidth=0.6)
            if phase.name != IDLE:
                axes.axvspan(phase.begin, phase.end, color="black", alpha=0.06, linewidth=0)
    strips[-1].set(xlabel="seconds", xlim=(phases[0].begin, phases[-1].end))
    figure.savefig(path, dpi=110)


def _replicas(axes: Axes, entries: Sequence[Second], name: str, most: int, colour: str) -> None:
    moments = [entry.end for entry in entries]
    counts = [entry.replicas.get(name, 0) for entry in entries]
    axes.step(moments, counts, where="post", color=colour)
    axes.fill_between(moments, counts, step="post", color=colour, alpha=0.25)
    axes.set(ylim=(0, most + 0.5), yticks=range(most + 1))
    axes.set_ylabel(name, rotation=0, ha="right", va="center")
    axes.grid(axis="y", alpha=0.3)


def _rate(axes: Axes, entries: Sequence[Second]) -> None:
    moments = [entry.begin for entry in entries]
    axes.step(moments, [entry.rate for entry in entries], where="post", label="answered")
    if any(entry.others for entry in entries):
        axes.step(moments, [entry.others for entry in entries], where="post", color="tab:red", label="not answered")
    axes.set_ylabel("requests a second")
    _finish(axes)


def _times(axes: Axes, entries: Sequence[Second]) -> None:
    moments = [entry.end for entry in entries]
    for name, style in (("p50", "-"), ("p95", ":")):
        # Where nobody was answered there is a gap.
        times = [getattr(entry, name) if entry.answers else float("nan") for entry in entries]
        axes.plot(moments, times, style, color="tab:blue", label=name)
    axes.set_ylabel("milliseconds")
    _finish(axes)


def _finish(axes: Axes) -> None:
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", loc="upper right")
