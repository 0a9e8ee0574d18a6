"""The figures of a curve, each with its interval over bootstrap replicates of the curve."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evaluation.intervals import Estimate, percentile_interval, rule_of_thirty, rule_of_three, without_errors
from evaluation.progress import Track
from evaluation.verification import Curve, OperatingPoint

GRID = np.logspace(-4, 0, 41)
"""False match rates at which a curve's FNMR gets an interval."""


@dataclass(frozen=True, slots=True)
class Point:
    """An operating point. One that was looked for, by a rate or as the best, is looked for anew in every replicate.

    Attributes:
        threshold: with an interval of no width where it was given.
        fmr: where the rate is what was looked for, its interval is that at the threshold found, like for a given one.
    """

    name: str
    threshold: Estimate
    fmr: Estimate
    fnmr: Estimate
    balanced_accuracy: Estimate


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """What is told of a curve.

    Attributes:
        unsupported: one sentence for each wished rate that the trials are too few for, or just enough.
        band: float64 (2, grid), the interval of FNMR at each FMR of `GRID`.
    """

    curve: Curve
    area: Estimate
    equal_error_rate: Estimate
    points: tuple[Point, ...]
    unsupported: tuple[str, ...]
    band: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Wished:
    """What a curve is asked for.

    Attributes:
        fixed: thresholds by what they are called.
        rates: false match rates, or their like, at whose thresholds to measure.
        rate, trials: what these rates and the trials behind them are called, e.g. FMR and impostor pairs.
        best: whether the best balanced accuracy is asked for.
        unsupported: whether rates that there are too few trials for are measured as well.
    """

    fixed: Mapping[str, float]
    rates: Sequence[float]
    rate: str
    trials: str
    best: bool = True
    unsupported: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """How a network is measured.

    Attributes:
        thresholds: at which to measure, by what they are called.
        rates: false match rates, or APCERs, at which to measure.
        replicates, seed: of the bootstrap.
        track: shows the bootstrap's progress.
        unsupported: whether to measure rates that there are too few trials for as well.
    """

    thresholds: Mapping[str, float]
    rates: tuple[float, ...]
    replicates: int
    seed: int
    track: Track
    unsupported: bool = False


def figures(curve: Curve, replicates: Iterable[Curve], wished: Wished, genuine: int, impostor: int) -> Figures:
    """Measure a curve.

    Args:
        replicates: the same curve of other draws.
        genuine, impostor: how many independent trials of each kind there are at most. They bound from above a rate
            of which no error was seen, which no replicate has either: the rule of three.
    """
    shown = [rate for rate in wished.rates if wished.unsupported or supports(rate, impostor)]
    best = ["best balanced accuracy"] if wished.best else []
    names = [*wished.fixed, *best, *(f"{wished.rate} ≤ {percent(rate)}" for rate in shown)]
    found = {rate: curve.at_fmr(rate).threshold for rate in shown}

    def points(of: Curve) -> list[OperatingPoint]:
        looked_for = [replace(of.at_fmr(rate), fmr=of.at(found[rate]).fmr) for rate in shown]
        return [*map(of.at, wished.fixed.values()), *(of.best() for _ in best), *looked_for]

    drawn, scalars, bands = [], [], []
    for each in replicates:
        drawn.append([(point.threshold, point.fmr, point.fnmr, point.balanced_accuracy) for point in points(each)])
        scalars.append((each.area(), each.equal_error_rate()))
        bands.append(each.fnmr_at(GRID))
    spread, totals = np.array(drawn), np.array(scalars)
    return Figures(
        curve,
        percentile_interval(curve.area(), totals[:, 0]),
        percentile_interval(curve.equal_error_rate(), totals[:, 1]),
        tuple(
            Point(
                name,
                percentile_interval(point.threshold, spread[:, place, 0]),
                without_errors(percentile_interval(point.fmr, spread[:, place, 1]), impostor),
                without_errors(percentile_interval(point.fnmr, spread[:, place, 2]), genuine),
                percentile_interval(point.balanced_accuracy, spread[:, place, 3]),
            )
            for place, (name, point) in enumerate(zip(names, points(curve), strict=True))
        ),
        tuple(sentence for rate in wished.rates if (sentence := shortage(rate, impostor, wished.rate, wished.trials))),
        np.percentile(np.array(bands), [2.5, 97.5], axis=0),
    )


def supports(rate: float, trials: int) -> bool:
    """Whether so many trials without an error would show `rate`, by the rule of three."""
    return rule_of_three(trials) <= rate + 1e-12


def shortage(rate: float, trials: int, kind: str, trial: str) -> str:
    """What so many trials lack to measure `rate`, in a sentence; nothing where they are enough.

    Args:
        kind, trial: what the rate and its trials are called, e.g. FMR and impostor pairs.
    """
    there = f"{kind} {percent(rate)}: {trials:,} {trial}"
    if not supports(rate, trials):
        return f"{there} are too few; not one error in {np.ceil(3 / rate - 1e-9):,.0f} would show it (rule of three)."
    if trials < (enough := rule_of_thirty(rate)):
        return f"{there} give fewer than the 30 errors of a firm figure, which take {enough:,} (rule of thirty)."
    return ""


def percent(rate: float) -> str:
    """A wished rate in per cent: 0.1 %."""
    return f"{100 * rate:.4g} %"


def rounded(rate: float) -> str:
    """A measured rate in per cent with two decimals, or with two digits where that would be nothing: 0.021 %."""
    return f"{100 * rate:.2f} %" if rate >= 0.001 or rate == 0 else f"{100 * rate:.2g} %"
