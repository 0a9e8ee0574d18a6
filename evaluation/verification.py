"""Error rates of verification on labelled scores.

A genuine pair is two photos of the same subject, an impostor pair is photos of two subjects. Scores at or above the
threshold match. The false match rate (FMR) is the share of impostor pairs that match, and the false non-match rate
(FNMR) the share of genuine pairs that do not (ISO/IEC 19795-1). For liveness, FMR is APCER and FNMR is BPCER.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold and the error rates measured at it."""

    threshold: float
    fmr: float
    fnmr: float

    @property
    def balanced_accuracy(self) -> float:
        """Mean of the proportions of genuine and of impostor pairs that are classified correctly."""
        return 1 - (self.fmr + self.fnmr) / 2


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """All operating points.

    Attributes:
        thresholds: float64 (points), the distinct scores in ascending order, and one value above them. Any other
            threshold is equivalent to the next higher one of these.
        fmr, fnmr: float64 (points), descending from 1 to 0, and ascending from 0 to 1.
    """

    thresholds: Scores
    fmr: Scores
    fnmr: Scores

    def at(self, threshold: float) -> OperatingPoint:
        """The error rates when scores at or above `threshold` match."""
        index = min(int(np.searchsorted(self.thresholds, threshold)), len(self.thresholds) - 1)
        return self._point(threshold, index)

    def at_fmr(self, fmr: float) -> OperatingPoint:
        """The lowest threshold whose FMR is at most `fmr`: the next float above the top score that must not match."""
        index = int(np.argmax(self.fmr <= fmr + 1e-9))
        # If the rate allows it, all scores match.
        threshold = np.nextafter(self.thresholds[index - 1], np.inf) if index else self.thresholds[0]
        return self._point(threshold, index)

    def at_fnmr(self, fnmr: float) -> OperatingPoint:
        """The highest threshold whose FNMR is at most `fnmr`: the lowest score that must match."""
        index = int(np.searchsorted(self.fnmr, fnmr + 1e-9, side="right")) - 1
        return self._point(self.thresholds[index], index)

    def fnmr_at(self, fmrs: Scores) -> Scores:
        """FNMR at the lowest thresholds whose FMR is at most each of `fmrs`."""
        return self.fnmr[np.searchsorted(-self.fmr, -fmrs - 1e-9)]

    def best(self, genuine: float = 0.5) -> OperatingPoint:
        """The point with the highest accuracy. Its threshold is in the middle of the gap between two scores.

        Args:
            genuine: the share of genuine pairs. 0.5 gives the balanced accuracy.
        """
        index = int(np.argmin((1 - genuine) * self.fmr + genuine * self.fnmr))
        threshold = self.thresholds[max(index - 1, 0) : index + 1].mean()
        if index:
            # The middle between adjacent floats may round to the lower one.
            threshold = max(threshold, np.nextafter(self.thresholds[index - 1], np.inf))
        return self._point(threshold, index)

    def equal_error_rate(self) -> float:
        """The rate at which FMR and FNMR are equal, interpolated between the two nearest points (ISO/IEC 19795-1)."""
        ahead = self.fnmr - self.fmr
        index = int(np.argmax(ahead >= 0))
        share = ahead[index] / (ahead[index] - ahead[index - 1])
        return float(self.fmr[index] + share * (self.fmr[index - 1] - self.fmr[index]))

    def area(self) -> float:
        """Area under the ROC curve: the probability that a genuine pair scores higher than an impostor pair.

        Ties count half, as in the Mann-Whitney statistic. Linear interpolation between the points has the same effect.
        """
        return float(np.trapezoid((1 - self.fnmr)[::-1], self.fmr[::-1]))

    def _point(self, threshold: float, index: int) -> OperatingPoint:
        return OperatingPoint(float(threshold), float(self.fmr[index]), float(self.fnmr[index]))


class Trials:
    """Scores that are sorted once, to compute curves for different weights of the trials.

    Args:
        scores: float64 (trials).
        genuine: bool (trials), with both kinds present.
    """

    def __init__(self, scores: Scores, genuine: NDArray[np.bool_]) -> None:
        self._order = np.argsort(scores, kind="stable")
        ordered = scores[self._order]
        self._genuine = genuine[self._order]
        self._starts = np.flatnonzero(np.concatenate([[True], ordered[1:] > ordered[:-1]]))
        self._thresholds = np.append(ordered[self._starts], np.nextafter(ordered[-1], np.inf))

    def curve(self, weights: NDArray[np.int64] | None = None) -> Curve:
        """The operating points if each trial counts `weights` times, once by default.

        Each kind needs at least one trial with a weight above 0.
        """
        counted = np.ones(len(self._order), np.int64) if weights is None else weights[self._order]
        below_genuine = self._below(np.where(self._genuine, counted, 0))
        below_impostor = self._below(np.where(self._genuine, 0, counted))
        above_impostor = below_impostor[-1] - below_impostor
        return Curve(self._thresholds, above_impostor / below_impostor[-1], below_genuine / below_genuine[-1])

    def _below(self, counted: NDArray[np.int64]) -> NDArray[np.int64]:
        """The sum of the counts below each threshold."""
        sums = np.concatenate([[0], np.cumsum(counted)])
        return np.append(sums[self._starts], sums[-1])


def curve(genuine: Scores, impostor: Scores) -> Curve:
    """The operating points of these scores. Neither may be empty."""
    kinds = np.repeat([True, False], [len(genuine), len(impostor)])
    return Trials(np.concatenate([genuine, impostor]), kinds).curve()
