"""Measures of a verification system on labelled scores.

A genuine pair is two photos of one person, an impostor pair of two. FMR, the false match rate, is the
share of impostor pairs at or above the threshold; FNMR, the false non-match rate, the share of genuine
pairs below it (ISO/IEC 19795-1).
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


def at_threshold(genuine: Scores, impostor: Scores, threshold: float) -> OperatingPoint:
    """The error rates when scores at or above `threshold` match. Both arrays must hold scores."""
    return OperatingPoint(threshold, float(np.mean(impostor >= threshold)), float(np.mean(genuine < threshold)))


def at_fmr(genuine: Scores, impostor: Scores, fmr: float) -> OperatingPoint:
    """The lowest threshold whose FMR on `impostor` is at most `fmr`."""
    descending = np.sort(impostor)[::-1]
    allowed = int(np.floor(fmr * len(impostor) + 1e-9))
    # One float above the best impostor that may not pass; all may pass where the rate allows it.
    threshold = np.nextafter(descending[allowed], np.inf) if allowed < len(descending) else descending[-1]
    return at_threshold(genuine, impostor, float(threshold))


def best(genuine: Scores, impostor: Scores) -> OperatingPoint:
    """The threshold of the highest balanced accuracy; in the middle of the gap between scores that it may move in."""
    scores = np.unique(np.concatenate([genuine, impostor]))
    middles = (scores[1:] + scores[:-1]) / 2
    candidates = np.concatenate([scores[:1], middles])
    below_genuine = np.searchsorted(np.sort(genuine), candidates, side="left") / len(genuine)
    above_impostor = 1 - np.searchsorted(np.sort(impostor), candidates, side="left") / len(impostor)
    return at_threshold(genuine, impostor, float(candidates[np.argmin(below_genuine + above_impostor)]))


def area_under_curve(genuine: Scores, impostor: Scores) -> float:
    """Area under the ROC curve: the chance that a genuine pair scores above an impostor pair.

    Ties count half (the Mann-Whitney statistic).
    """
    ordered = np.sort(impostor)
    below = np.searchsorted(ordered, genuine, side="left")
    tied = np.searchsorted(ordered, genuine, side="right") - below
    return float(np.mean(below + tied / 2) / len(ordered))
