"""Closed-set and open-set identification on labelled photos, with the rates of ISO/IEC 19795-1.

Each photo is the probe once, and all other photos are enrolled (leave-one-out). The similarity of a subject is the
similarity of its most similar photo, as in the gallery's search. In a mated search, the probe's own subject is enrolled
with its other photos. In a non-mated search, it is not enrolled.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.answers import Answers
from evaluation.comparisons import unit_length
from evaluation.verification import Scores, Trials
from models.errors import ModelError


@dataclass(frozen=True, slots=True, eq=False)
class Searches:
    """The results of searching with each photo that has a face.

    Attributes:
        subjects: int64 (probes), the probes' subjects.
        mated: bool (probes), whether the subject has another photo. If not, the probe only makes a non-mated search.
        ranks: int64 (probes), the rank of the probe's own subject, from 1, if mated. Equally similar subjects come
            before it.
        own: float64 (probes), similarity of the probe's own subject, -inf if it has no other photo.
        others: float64 (probes), similarity of the most similar other subject.
        gallery: number of subjects that are searched.
    """

    subjects: NDArray[np.int64]
    mated: NDArray[np.bool_]
    ranks: NDArray[np.int64]
    own: Scores
    others: Scores
    gallery: int

    def hit_rate(self, rank: int, drawn: NDArray[np.int64] | None = None) -> float:
        """Return the proportion of mated searches whose subject is among the first `rank` (closed set).

        Args:
            drawn: how often the probes of each subject count, once by default.
        """
        weights = self._weights(drawn)[self.mated]
        return float(np.sum(weights * (self.ranks[self.mated] <= rank)) / np.sum(weights))

    def open_set(self) -> Trials:
        """Mated searches as genuine trials and non-mated searches as impostor trials.

        FMR of the curve is then FPIR, and FNMR is FNIR: a mated search fails unless its own subject comes first, at or
        above the threshold.
        """
        found = np.where(self.ranks[self.mated] == 1, self.own[self.mated], -np.inf)
        return Trials(np.concatenate([found, self.others]), np.repeat([True, False], [len(found), len(self.others)]))

    def open_set_weights(self, drawn: NDArray[np.int64]) -> NDArray[np.int64]:
        """The weights of the trials of `open_set` when subjects are `drawn`. The gallery does not change."""
        weights = self._weights(drawn)
        return np.concatenate([weights[self.mated], weights])

    def _weights(self, drawn: NDArray[np.int64] | None) -> NDArray[np.int64]:
        return np.ones(len(self.subjects), np.int64) if drawn is None else drawn[self.subjects]


def search(embeddings: Answers, subjects: NDArray[np.int64]) -> Searches:
    """Search with each photo among all other photos.

    Args:
        embeddings: (photos, size). Photos without a face have NaN and are left out.
        subjects: int64 (photos), the photos' subjects.

    Raises:
        ModelError: no subject has two faces, or there is only one subject.
    """
    found = ~np.isnan(embeddings[:, 0])
    unit = unit_length(embeddings[found])
    numbers, inverse, photos = np.unique(subjects[found], return_inverse=True, return_counts=True)
    if len(numbers) < 2 or photos.max() < 2:
        raise ModelError("identification needs two subjects, one of them with two faces")
    order = np.argsort(inverse, kind="stable")
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    # (probes, subjects): the columns of a subject are adjacent, and the best of them counts.
    best = np.maximum.reduceat(similarity[:, order], np.cumsum(photos) - photos, axis=1)
    probes = np.arange(len(unit))
    own = best[probes, inverse]
    best[probes, inverse] = -np.inf
    others = best.max(axis=1)
    ranks = 1 + np.sum(best >= own[:, None], axis=1)
    return Searches(subjects[found], photos[inverse] > 1, ranks, own, others, len(numbers))
