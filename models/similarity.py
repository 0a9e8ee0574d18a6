"""A scale for similarities from 0 to 100 that means about the same for every embedder."""

import math

from pydantic import Field

from models.sources import Strict

STATED = (80, 90, 95, 99)
"""Similarities at which a card states the false match rate."""
_ROUNDING = 6e-6
"""A little more than rounding can add to a similarity."""


class SimilarityScale(Strict):
    """A logistic function of the cosine similarity, scaled so that equal embeddings are 100.

    Attributes:
        midpoint: cosine similarity at the midpoint of the logistic function.
        slope: steepness of the function.
    """

    midpoint: float
    slope: float = Field(gt=0)

    def percent(self, cosine: float) -> float:
        """Return the similarity, 0 to 100 with five decimals, that stands for a cosine similarity."""
        # Rounded, because the cosine of equal embeddings can be a little below 1.
        return round(100 * (1 + self._odds(1.0)) / (1 + self._odds(cosine)), 5)

    def cosine(self, percent: float) -> float:
        """Return the smallest cosine similarity that corresponds to at least `percent`, or slightly less."""
        if percent <= _ROUNDING:
            return -1.0
        odds = 100 * (1 + self._odds(1.0)) / (percent - _ROUNDING) - 1
        return max(self.midpoint - math.log(odds) / self.slope, -1.0)

    def _odds(self, cosine: float) -> float:
        return math.exp(-self.slope * (cosine - self.midpoint))


class MeasuredScale(SimilarityScale):
    """The scale of an embedder, as its card states it.

    Attributes:
        fmr: false match rates at `STATED`.
        measured_on: the pairs of the measurement.
    """

    fmr: tuple[float, float, float, float]
    measured_on: str
