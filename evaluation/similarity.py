"""Fit the scale on which an embedder's similarities are stated from 0 to 100."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.answers import Answers
from evaluation.comparisons import unit_length
from evaluation.figures import shortage, supports
from models.errors import ModelError
from models.similarity import STATED, SimilarityScale

ANCHORS = {80: 1e-3, 99: 1e-5}
"""The false match rates at two similarities. Between them, the logarithm of the rate falls roughly linearly."""
BINS = 200_000
"""Number of intervals between the cosine similarities -1 and 1 in which pairs are counted."""


@dataclass(frozen=True, slots=True)
class FittedScale:
    """A scale and its error rates.

    Attributes:
        fmr, fnmr: false match and false non-match rates at `STATED`.
        impostors, genuines: numbers of pairs.
    """

    scale: SimilarityScale
    fmr: tuple[float, ...]
    fnmr: tuple[float, ...]
    impostors: int
    genuines: int


def fit_scale(embeddings: Answers, subjects: NDArray[np.int64]) -> FittedScale:
    """Fit a scale to all pairs of photos.

    Args:
        embeddings: (photos, size), without NaN.
        subjects: int64 (photos), index of each photo's subject.

    Raises:
        ModelError: there are too few impostor pairs for the false match rates in `ANCHORS`.
    """
    genuine, impostor = _above(embeddings, subjects)
    if not supports(least := min(ANCHORS.values()), impostor[0]):
        raise ModelError(shortage(least, impostor[0], "FMR", "impostor pairs"))
    (low, high), (at_low, at_high) = ANCHORS, [_threshold(impostor, rate) for rate in ANCHORS.values()]
    slope = (_log_odds(high) - _log_odds(low)) / (at_high - at_low)
    scale = SimilarityScale(midpoint=round(at_low - _log_odds(low) / slope, 4), slope=round(slope, 2))
    places = [_place(scale.cosine(percent)) for percent in STATED]
    fmr = tuple(float(f"{impostor[place] / impostor[0]:.2g}") for place in places)
    fnmr = tuple(1 - float(genuine[place] / genuine[0]) for place in places)
    return FittedScale(scale, fmr, fnmr, int(impostor[0]), int(genuine[0]))


def _above(embeddings: Answers, subjects: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count genuine and impostor pairs by similarity: int64 (BINS), the pairs in each interval and those above it."""
    unit = unit_length(embeddings).astype(np.float32)
    genuine, impostor = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
    for row in range(len(unit) - 1):
        places = _place(unit[row + 1 :] @ unit[row])
        same = subjects[row + 1 :] == subjects[row]
        genuine += np.bincount(places[same], minlength=BINS)
        impostor += np.bincount(places[~same], minlength=BINS)
    return np.cumsum(genuine[::-1])[::-1], np.cumsum(impostor[::-1])[::-1]


def _place(cosines: NDArray[np.float32] | float) -> NDArray[np.int64]:
    """Return the indices of the intervals that contain these similarities."""
    return np.clip((np.asarray(cosines) + 1) / 2 * BINS, 0, BINS - 1).astype(np.int64)


def _threshold(impostor: NDArray[np.int64], rate: float) -> float:
    """Return the lowest similarity that at most this share of the pairs reaches."""
    return float(np.argmax(impostor <= rate * impostor[0])) * 2 / BINS - 1


def _log_odds(percent: float) -> float:
    return math.log(percent / (100 - percent))
