"""Cosine similarities of labelled pairs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.answers import Answers
from evaluation.labelled import Labelled
from evaluation.verification import Scores
from models.errors import ModelError

_AT_ONCE = 65536


@dataclass(frozen=True, slots=True, eq=False)
class Comparisons:
    """The pairs in which both photos have a face.

    Attributes:
        scores: float64 (pairs), cosine similarities.
        subjects: int64 (pairs, 2), the subjects of the photos.
        lost_genuine, lost_impostor: number of pairs with a faceless photo.
    """

    scores: Scores
    subjects: NDArray[np.int64]
    lost_genuine: int
    lost_impostor: int

    def with_faceless(self, fmr: float, fnmr: float) -> tuple[float, float]:
        """Return the false accept and the false reject rate. Pairs with a faceless photo count as rejected."""
        genuine = int(self.genuine.sum())
        impostor = len(self.scores) - genuine
        far = fmr * impostor / (impostor + self.lost_impostor)
        return far, (fnmr * genuine + self.lost_genuine) / (genuine + self.lost_genuine)

    @property
    def genuine(self) -> NDArray[np.bool_]:
        """Whether both photos are of the same subject, bool (pairs)."""
        return np.equal(self.subjects[:, 0], self.subjects[:, 1])


def compare(labelled: Labelled, embeddings: Answers) -> Comparisons:
    """Compare the pairs of `labelled`.

    Args:
        embeddings: (photos, size), NaN for photos without a face. No other row may be zero.

    Raises:
        ModelError: there are no genuine or no impostor pairs with faces.
    """
    scores, subjects = cosines(labelled.pairs, embeddings), labelled.subjects[labelled.pairs]
    whole, genuine = ~np.isnan(scores), labelled.genuine
    if genuine[whole].all() or not genuine[whole].any():
        raise ModelError("too few faces were found for genuine and impostor pairs")
    return Comparisons(scores[whole], subjects[whole], int(np.sum(genuine & ~whole)), int(np.sum(~genuine & ~whole)))


def cosines(pairs: NDArray[np.int64], embeddings: Answers) -> Scores:
    """Return the cosine similarities of pairs of photos, float64 (pairs); NaN where a photo has no face.

    Args:
        pairs: int64 (pairs, 2), indices into `embeddings`.
    """
    unit = unit_length(embeddings)
    parts = [pairs[start : start + _AT_ONCE] for start in range(0, len(pairs), _AT_ONCE)]
    return np.concatenate([np.einsum("ij,ij->i", unit[part[:, 0]], unit[part[:, 1]]) for part in parts])


def unit_length(embeddings: Answers) -> Answers:
    """Return the embeddings scaled to length 1."""
    unit: Answers = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    return unit
