"""The plots of a report, as SVG data URLs."""

import io
from base64 import b64encode
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from evaluation.figures import GRID, Figures
from evaluation.verification import Scores

_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "facegraph",
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans"],
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "axes.axisbelow": True,
}
_COLOURS = ("#1b6ca8", "#c44536", "#7a5195", "#e0a100", "#2f7f5f", "#6b6b6b", "#d6568c", "#3d9be9")
_TICKS = np.array([0.0001, 0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95])
_SMALLEST = 1e-5

probit = np.vectorize(NormalDist().inv_cdf, otypes=[np.float64])
"""Normal deviates of rates between 0 and 1."""


def roc(figures: Figures, fmr: str, fnmr: str) -> str:
    """Plot the true match rate against the false match rate, which has a logarithmic scale, with the 95 % band."""
    with rc_context(_STYLE):
        figure, axes = _axes(fmr, f"1 - {fnmr}")
        axes.fill_between(GRID, 1 - figures.band[1], 1 - figures.band[0], color=_COLOURS[0], alpha=0.18, linewidth=0)
        rates, misses = _thinned(figures)
        axes.plot(np.maximum(rates, _SMALLEST), 1 - misses, color=_COLOURS[0], drawstyle="steps-pre")
        for colour, point in zip(_COLOURS[1:], figures.points, strict=False):
            axes.plot(max(point.fmr.value, GRID[0]), 1 - point.fnmr.value, "o", color=colour, label=point.name)
        axes.set_xscale("log")
        axes.set_xlim(GRID[0], 1)
        axes.set_ylim(top=1.005)
        axes.legend(loc="lower right", frameon=False, fontsize=9)
        return _svg(figure)


def det(figures: Figures, fmr: str, fnmr: str) -> str:
    """Plot both error rates on normal-deviate axes, with the 95 % band.

    Martin et al., "The DET curve in assessment of detection task performance", Eurospeech 1997. Rates of 0 and 1 would
    be at infinity, so the curve ends before them.
    """
    with rc_context(_STYLE):
        figure, axes = _axes(fmr, fnmr)
        band = np.clip(figures.band, _SMALLEST, 1 - _SMALLEST)
        grid = np.clip(GRID, _SMALLEST, 1 - _SMALLEST)
        axes.fill_between(probit(grid), probit(band[0]), probit(band[1]), color=_COLOURS[0], alpha=0.18, linewidth=0)
        rates, misses = _thinned(figures)
        inside = (rates > 0) & (rates < 1) & (misses > 0) & (misses < 1)
        axes.plot(probit(rates[inside]), probit(misses[inside]), color=_COLOURS[0])
        ends = probit(np.array([0.00005, 0.6]))
        axes.plot(ends, ends, color="#9a9a9a", linewidth=0.8, linestyle="--")
        axes.set_xlim(*ends)
        axes.set_ylim(*ends)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_ticks(probit(_TICKS[_TICKS < 0.6]), [f"{100 * tick:g} %" for tick in _TICKS[_TICKS < 0.6]])
        return _svg(figure)


def distributions(scores: Mapping[str, Scores], thresholds: Mapping[str, float], axis: str) -> str:
    """Plot a histogram of each kind's scores, and the thresholds."""
    with rc_context(_STYLE):
        figure, axes = _axes(axis, "share of scores")
        everything = np.concatenate(list(scores.values()))
        bins = np.linspace(everything.min(), max(everything.max(), everything.min() + 0.01), 61).tolist()
        for (name, values), colour in zip(scores.items(), _COLOURS, strict=False):
            shares = np.full(len(values), 1 / len(values))
            label = f"{name} ({len(values):,})"
            axes.hist(values, bins, weights=shares, color=colour, alpha=0.45, label=label)
            axes.hist(values, bins, weights=shares, color=colour, histtype="step")
        for style, (name, value) in zip(("--", ":", "-.", "-"), thresholds.items(), strict=False):
            axes.axvline(value, color="#333333", linestyle=style, linewidth=1, label=f"{name} ({value:.4g})")
        axes.legend(frameon=False, fontsize=9)
        return _svg(figure)


def cmc(rates: NDArray[np.float64]) -> str:
    """Plot the cumulative match characteristic: the closed-set identification rate of each rank."""
    with rc_context(_STYLE):
        figure, axes = _axes("rank", "identification rate")
        shown = rates[:20]
        axes.plot(np.arange(1, len(shown) + 1), shown, "o-", color=_COLOURS[0], markersize=4)
        axes.set_ylim(min(0.9, float(shown[0]) - 0.05), 1.005)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        return _svg(figure)


def _axes(horizontal: str, vertical: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.6, 4.2), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(horizontal)
    axes.set_ylabel(vertical)
    return figure, axes


def _thinned(figures: Figures) -> tuple[Scores, Scores]:
    """The rates of the curve, thinned to points that differ visibly: a curve may have millions."""
    fmr, fnmr = figures.curve.fmr, figures.curve.fnmr
    if len(fmr) <= 4000:
        return fmr, fnmr
    # Keep more points at small rates than at large ones.
    wanted = np.geomspace(1e-6, 1, 2000)
    indices = np.unique(np.concatenate([np.searchsorted(-fmr, -wanted), np.searchsorted(fnmr, wanted), [len(fmr) - 1]]))
    indices = indices[indices < len(fmr)]
    return fmr[indices], fnmr[indices]


def _svg(figure: Figure) -> str:
    """The picture as a data URL."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return "data:image/svg+xml;base64," + b64encode(text.getvalue().encode()).decode()
