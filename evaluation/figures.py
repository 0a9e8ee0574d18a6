"""The figures of a curve with intervals from bootstrap replicates of the curve."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evaluation.intervals import Estimate, percentile_interval, rule_of_thirty, rule_of_three, without_errors
from evaluation.progress import Track
from evaluation.verification import Curve, OperatingPoint

GRID = np.logspace(-4, 0, 41)
"""False match rates at which FNMR is given an interval."""


@dataclass(frozen=True, slots=True)
class Point:
    """An operating point. The best point and points for a rate are determined again in every replicate.

    Attributes:
        threshold: if the threshold was given, its interval has no width.
        fmr: if the point is defined by this rate, the interval is that of the rate at the original curve's threshold.
    """

    name: str
    threshold: Estimate
    fmr: Estimate
    fnmr: Estimate
    balanced_accuracy: Estimate


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """The figures of a curve.

    Attributes:
        unsupported: one sentence for each requested rate that has too few trials or barely enough.
        band: float64 (2, grid), the interval of FNMR at each FMR of `GRID`.
    """

    curve: Curve
    area: Estimate
    equal_error_rate: Estimate
    points: tuple[Point, ...]
    unsupported: tuple[str, ...]
    band: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Plan:
    """How to measure a network.

    Attributes:
        thresholds: thresholds at which to measure, by name.
        rates: maximum false match rates (or APCERs or FPIRs). Each is measured at the lowest threshold that meets it.
        replicates, seed: number of bootstrap replicates, and the seed for drawing them.
        track: shows the progress of the bootstrap.
        unsupported: whether to include rates that have too few trials.
    """

    thresholds: Mapping[str, float]
    rates: tuple[float, ...]
    replicates: int
    seed: int
    track: Track
    unsupported: bool = False


@dataclass(frozen=True, slots=True)
class RequestedPoints:
    """The operating points to measure on a curve.

    Attributes:
        plan: its thresholds and rates.
        rate, trials: what the rates and their trials are called, such as FMR and impostor pairs.
        best: whether to include the best balanced accuracy.
    """

    plan: Plan
    rate: str
    trials: str
    best: bool = True


def figures(
    curve: Curve, replicates: Iterable[Curve], requested: RequestedPoints, genuine: int, impostor: int
) -> Figures:
    """Measure a curve.

    Args:
        replicates: the curves of the bootstrap's draws.
        genuine, impostor: maximum number of independent trials of each kind. If a rate is 0, the rule of three gives
            its upper bound from them, because no replicate has an error either.
    """
    plan = requested.plan
    shown = [rate for rate in plan.rates if plan.unsupported or supports(rate, impostor)]
    best = ["best balanced accuracy"] if requested.best else []
    names = [*plan.thresholds, *best, *(f"{requested.rate} ≤ {percent(rate)}" for rate in shown)]
    found = {rate: curve.at_fmr(rate).threshold for rate in shown}

    def points(of: Curve) -> list[OperatingPoint]:
        looked_for = [replace(of.at_fmr(rate), fmr=of.at(found[rate]).fmr) for rate in shown]
        return [*map(of.at, plan.thresholds.values()), *(of.best() for _ in best), *looked_for]

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
                percentile_interval(point.threshold, spread[:, index, 0]),
                without_errors(percentile_interval(point.fmr, spread[:, index, 1]), impostor),
                without_errors(percentile_interval(point.fnmr, spread[:, index, 2]), genuine),
                percentile_interval(point.balanced_accuracy, spread[:, index, 3]),
            )
            for index, (name, point) in enumerate(zip(names, points(curve), strict=True))
        ),
        tuple(
            sentence for rate in plan.rates if (sentence := shortage(rate, impostor, requested.rate, requested.trials))
        ),
        np.percentile(np.array(bands), [2.5, 97.5], axis=0),
    )


def supports(rate: float, trials: int) -> bool:
    """Return whether `trials` trials without an error would demonstrate `rate`, by the rule of three."""
    return rule_of_three(trials) <= rate + 1e-12


def shortage(rate: float, trials: int, kind: str, trial: str) -> str:
    """Return a sentence that reports too few trials to measure `rate`; empty if there are enough.

    Args:
        kind, trial: what the rate and its trials are called, such as FMR and impostor pairs.
    """
    there = f"{kind} {percent(rate)}: {trials:,} {trial}"
    if not supports(rate, trials):
        least = np.ceil(3 / rate - 1e-9)
        return f"{there} are too few. At least {least:,.0f} are needed, without any error (rule of three)."
    if trials < (enough := rule_of_thirty(rate)):
        return f"{there} give only a rough figure. A reliable one takes {enough:,}, with 30 errors (rule of thirty)."
    return ""


def percent(rate: float) -> str:
    """Format a requested rate in percent, such as 0.1 %."""
    return f"{100 * rate:.4g} %"


def rounded(rate: float) -> str:
    """Format a measured rate in percent with two decimals, or two digits if it is below 0.1 %, such as 0.021 %."""
    return f"{100 * rate:.2f} %" if rate >= 0.001 or rate == 0 else f"{100 * rate:.2g} %"
