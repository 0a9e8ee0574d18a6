"""95 % intervals, and the smallest rates that a number of trials can demonstrate."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

_Z = 1.959963984540054
"""95 % of a normal distribution are within this many standard deviations."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured value and its 95 % confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Share:
    """A share of faces or photos: `count` out of `of`, which is at least 1."""

    count: int
    of: int

    @property
    def estimate(self) -> Estimate:
        """The share with Wilson's 95 % interval."""
        return wilson(self.count, self.of)


def wilson(errors: int, trials: int) -> Estimate:
    """The share of errors in one or more independent trials, with Wilson's score interval.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927: the rates that a score
    test at the 5 % level does not reject.
    """
    share, square = errors / trials, _Z**2
    middle = (share + square / (2 * trials)) / (1 + square / trials)
    half = _Z / (1 + square / trials) * np.sqrt(share * (1 - share) / trials + square / (4 * trials**2))
    # Rounding could leave the value slightly outside.
    return Estimate(share, max(min(float(middle - half), share), 0.0), min(max(float(middle + half), share), 1.0))


def percentile_interval(value: float, replicates: NDArray[np.float64]) -> Estimate:
    """A value with Efron's percentile interval: the middle 95 % of its bootstrap replicates."""
    low, high = np.percentile(replicates, [2.5, 97.5])
    return Estimate(value, float(low), float(high))


def rule_of_three(trials: int) -> float:
    """Upper 95 % confidence bound of an error rate if `trials` independent trials had no error (ISO/IEC 19795-1)."""
    return min(3 / trials, 1.0)


def without_errors(estimate: Estimate, trials: int) -> Estimate:
    """Raise the upper bound of an error rate of 0 to the rule of three's bound."""
    return estimate if estimate.value > 0 else replace(estimate, high=max(estimate.high, rule_of_three(trials)))


def without_misses(estimate: Estimate, trials: int) -> Estimate:
    """Lower the lower bound of a hit rate of 1 to the rule of three's bound."""
    return estimate if estimate.value < 1 else replace(estimate, low=min(estimate.low, 1 - rule_of_three(trials)))


def rule_of_thirty(rate: float) -> int:
    """Number of trials in which `rate` gives 30 errors: enough to measure it within 30 %, with 90 % confidence.

    Doddington et al., "The NIST speaker recognition evaluation", Speech Communication 2000; ISO/IEC 19795-1.
    """
    return int(np.ceil(30 / rate - 1e-9))
