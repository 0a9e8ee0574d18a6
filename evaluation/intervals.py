"""95 % intervals, and how small a rate a number of trials can show."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

_Z = 1.959963984540054
"""The normal distribution has 95 % of its mass within so many standard deviations."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured value and its 95 % confidence interval."""

    value: float
    low: float
    high: float


def wilson(errors: int, trials: int) -> Estimate:
    """The share of errors in independent trials, of which there is at least one.

    The interval is the score interval of Wilson, "Probable inference, the law of succession, and statistical
    inference", JASA 1927: the rates that a test of level 5 % does not reject.
    """
    share, square = errors / trials, _Z**2
    middle = (share + square / (2 * trials)) / (1 + square / trials)
    half = _Z / (1 + square / trials) * np.sqrt(share * (1 - share) / trials + square / (4 * trials**2))
    # Rounding may leave the value itself a little outside.
    return Estimate(share, max(min(float(middle - half), share), 0.0), min(max(float(middle + half), share), 1.0))


def percentile_interval(value: float, replicates: NDArray[np.float64]) -> Estimate:
    """A value with the middle 95 % of its bootstrap replicates (Efron's percentile interval)."""
    low, high = np.percentile(replicates, [2.5, 97.5])
    return Estimate(value, float(low), float(high))


def rule_of_three(trials: int) -> float:
    """The rate that no error in independent `trials` rules out with 95 % confidence (ISO/IEC 19795-1)."""
    return min(3 / trials, 1.0)


def without_errors(estimate: Estimate, trials: int) -> Estimate:
    """An error rate with at least the upper bound of the rule of three where no error was seen."""
    return estimate if estimate.value > 0 else replace(estimate, high=max(estimate.high, rule_of_three(trials)))


def without_misses(estimate: Estimate, trials: int) -> Estimate:
    """A hit rate with at most the lower bound of the rule of three where no miss was seen."""
    return estimate if estimate.value < 1 else replace(estimate, low=min(estimate.low, 1 - rule_of_three(trials)))


def rule_of_thirty(rate: float) -> int:
    """The trials in which `rate` would make 30 errors: its true value is then within 30 % with 90 % confidence.

    Doddington et al., "The NIST speaker recognition evaluation", Speech Communication 2000; ISO/IEC 19795-1.
    """
    return int(np.ceil(30 / rate - 1e-9))
