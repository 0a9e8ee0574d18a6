"""Searching for the people of labelled photos among the others: closed and open set.

Each photo is once the probe, and all other photos are enrolled (leave one out). A subject's similarity to the probe
is that of its most similar photo, as the gallery's search has it. For the mated searches the probe's own subject is
enrolled with its other photos; for the non-mated ones it is not enrolled at all. Rates are those of ISO/IEC 19795-1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.answers import Answers
from evaluation.verification import Scores, Trials
from models.errors import ModelError


@dataclass(frozen=True, slots=True, eq=False)
class Searches:
    """What each probe found. Only of photos with a face; the probes of subjects with one photo are non-mated alone.

    Attributes:
        subjects: int64 (probes), whose they are.
        mated: bool (probes), whether the subject has another photo.
        ranks: int64 (probes), the place of the probe's own subject, from 1, where mated; subjects that are as
            similar come before it.
        own: float64 (probes), similarity of the own subject, -inf where it has no other photo.
        others: float64 (probes), similarity of the most similar other subject.
        gallery: how many subjects are searched.
    """

    subjects: NDArray[np.int64]
    mated: NDArray[np.bool_]
    ranks: NDArray[np.int64]
    own: Scores
    others: Scores
    gallery: int

    def hit_rate(self, rank: int, drawn: NDArray[np.int64] | None = None) -> float:
        """The share of mated searches that have their subject among the first `rank` (closed set).

        Args:
            drawn: how often each subject's probes count, once by default.
        """
        weights = self._weights(drawn)[self.mated]
        return float(np.sum(weights * (self.ranks[self.mated] <= rank)) / np.sum(weights))

    def open_set(self) -> Trials:
        """Mated searches as genuine trials and non-mated ones as impostors.

        So a curve's FMR is the FPIR, and its FNMR the FNIR: a mated search fails unless its own subject comes first,
        at or above the threshold.
        """
        found = np.where(self.ranks[self.mated] == 1, self.own[self.mated], -np.inf)
        return Trials(np.concatenate([found, self.others]), np.repeat([True, False], [len(found), len(self.others)]))

    def open_set_weights(self, drawn: NDArray[np.int64]) -> NDArray[np.int64]:
        """The weights of `open_set`'s trials when subjects are `drawn`; the gallery stays as it is."""
        weights = self._weights(drawn)
        return np.concatenate([weights[self.mated], weights])

    def _weights(self, drawn: NDArray[np.int64] | None) -> NDArray[np.int64]:
        return np.ones(len(self.subjects), np.int64) if drawn is None else drawn[self.subjects]


def search(embeddings: Answers, subjects: NDArray[np.int64]) -> Searches:
    """Search for each photo among the others.

    Args:
        embeddings: (photos, size), NaN for photos without a face, which are left out.
        subjects: int64 (photos), numbers of their subjects.

    Raises:
        ModelError: no subject has two faces, or there is only one subject.
    """
    found = ~np.isnan(embeddings[:, 0])
    unit = embeddings[found] / np.linalg.norm(embeddings[found], axis=1, keepdims=True)
    numbers, inverse, photos = np.unique(subjects[found], return_inverse=True, return_counts=True)
    if len(numbers) < 2 or photos.max() < 2:
        raise ModelError("identification needs two subjects, one of them with two faces")
    order = np.argsort(inverse, kind="stable")
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    # (probes, subjects): columns of one subject stand together, and the best of them counts.
    best = np.maximum.reduceat(similarity[:, order], np.cumsum(photos) - photos, axis=1)
    probes = np.arange(len(unit))
    own = best[probes, inverse]
    best[probes, inverse] = -np.inf
    others = best.max(axis=1)
    ranks = 1 + np.sum(best >= own[:, None], axis=1)
    return Searches(subjects[found], photos[inverse] > 1, ranks, own, others, len(numbers))
