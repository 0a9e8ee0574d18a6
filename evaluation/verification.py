"""Error rates of a verification system on labelled scores.

A genuine pair is two photos of one subject, an impostor pair of two. Scores at or above a threshold match. FMR, the
false match rate, is the share of impostor pairs that match; FNMR, the false non-match rate, the share of genuine
pairs that do not (ISO/IEC 19795-1). The same curve serves liveness, with APCER for FMR and BPCER for FNMR.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold and the two error rates measured at it."""

    threshold: float
    fmr: float
    fnmr: float

    @property
    def balanced_accuracy(self) -> float:
        """Mean of the shares of genuine and of impostor pairs that are told right."""
        return 1 - (self.fmr + self.fnmr) / 2


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Every operating point there is.

    Attributes:
        thresholds: float64 (points), the scores in ascending order, each once, and one above them all. Any other
            threshold behaves like the next higher one of these.
        fmr, fnmr: float64 (points), from 1 down to 0, and from 0 up to 1.
    """

    thresholds: Scores
    fmr: Scores
    fnmr: Scores

    def at(self, threshold: float) -> OperatingPoint:
        """The error rates when scores at or above `threshold` match."""
        place = min(int(np.searchsorted(self.thresholds, threshold)), len(self.thresholds) - 1)
        return OperatingPoint(threshold, float(self.fmr[place]), float(self.fnmr[place]))

    def at_fmr(self, fmr: float) -> OperatingPoint:
        """The lowest threshold whose FMR is at most `fmr`: one float above the best score that may not match."""
        place = int(np.argmax(self.fmr <= fmr + 1e-9))
        # All may match where the rate allows it.
        threshold = np.nextafter(self.thresholds[place - 1], np.inf) if place else self.thresholds[0]
        return OperatingPoint(float(threshold), float(self.fmr[place]), float(self.fnmr[place]))

    def at_fnmr(self, fnmr: float) -> OperatingPoint:
        """The highest threshold whose FNMR is at most `fnmr`: the lowest score that has to match."""
        place = int(np.searchsorted(self.fnmr, fnmr + 1e-9, side="right")) - 1
        return OperatingPoint(float(self.thresholds[place]), float(self.fmr[place]), float(self.fnmr[place]))

    def fnmr_at(self, fmrs: Scores) -> Scores:
        """FNMR at the lowest thresholds whose FMR is at most each of `fmrs`."""
        places = np.searchsorted(-self.fmr, -fmrs - 1e-9)
        return self.fnmr[places]

    def best(self, genuine: float = 0.5) -> OperatingPoint:
        """The highest accuracy; the threshold is in the middle of the gap between scores in which it may move.

        Args:
            genuine: the share of genuine pairs; at 0.5 it is the balanced accuracy.
        """
        place = int(np.argmin((1 - genuine) * self.fmr + genuine * self.fnmr))
        threshold = self.thresholds[max(place - 1, 0) : place + 1].mean()
        if place:
            # The middle of neighbouring floats is rounded to one of them, maybe the lower.
            threshold = max(threshold, np.nextafter(self.thresholds[place - 1], np.inf))
        return OperatingPoint(float(threshold), float(self.fmr[place]), float(self.fnmr[place]))

    def equal_error_rate(self) -> float:
        """Where FMR and FNMR are equal, on a straight line between the two points about it (ISO/IEC 19795-1)."""
        ahead = self.fnmr - self.fmr
        place = int(np.argmax(ahead >= 0))
        share = ahead[place] / (ahead[place] - ahead[place - 1])
        return float(self.fmr[place] + share * (self.fmr[place - 1] - self.fmr[place]))

    def area(self) -> float:
        """Area under the ROC curve: the chance that a genuine pair scores above an impostor pair.

        Ties count half (the Mann-Whitney statistic), which is what straight lines between the points give.
        """
        return float(np.trapezoid((1 - self.fnmr)[::-1], self.fmr[::-1]))


class Trials:
    """Scores sorted once, of which curves are made with one weight a trial or another.

    Args:
        scores: float64 (trials).
        genuine: bool (trials); both kinds must be there.
    """

    def __init__(self, scores: Scores, genuine: NDArray[np.bool_]) -> None:
        self._order = np.argsort(scores, kind="stable")
        ordered = scores[self._order]
        self._genuine = genuine[self._order]
        self._starts = np.flatnonzero(np.concatenate([[True], ordered[1:] > ordered[:-1]]))
        self._thresholds = np.append(ordered[self._starts], np.nextafter(ordered[-1], np.inf))

    def curve(self, weights: NDArray[np.int64] | None = None) -> Curve:
        """The operating points when each trial counts `weights` times, once by default.

        Raises:
            ValueError: no genuine or no impostor trial has a weight.
        """
        counted = np.ones(len(self._order), np.int64) if weights is None else weights[self._order]
        below_genuine = self._below(np.where(self._genuine, counted, 0))
        below_impostor = self._below(np.where(self._genuine, 0, counted))
        if not (below_genuine[-1] and below_impostor[-1]):
            raise ValueError("a curve needs genuine and impostor trials")
        above_impostor = below_impostor[-1] - below_impostor
        return Curve(self._thresholds, above_impostor / below_impostor[-1], below_genuine / below_genuine[-1])

    def _below(self, counted: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of the counts, the sum below each threshold."""
        sums = np.concatenate([[0], np.cumsum(counted)])
        return np.append(sums[self._starts], sums[-1])


def curve(genuine: Scores, impostor: Scores) -> Curve:
    """The operating points of these scores; both must be there."""
    kinds = np.repeat([True, False], [len(genuine), len(impostor)])
    return Trials(np.concatenate([genuine, impostor]), kinds).curve()
