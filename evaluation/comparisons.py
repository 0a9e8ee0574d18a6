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
    """The pairs whose photos both gave a face.

    Attributes:
        scores: float64 (pairs), cosine similarities.
        subjects: int64 (pairs, 2), the numbers of the photos' subjects.
        lost_genuine, lost_impostor: how many pairs have a photo without a face.
    """

    scores: Scores
    subjects: NDArray[np.int64]
    lost_genuine: int
    lost_impostor: int

    def with_faceless(self, fmr: float, fnmr: float) -> tuple[float, float]:
        """False accept and false reject rates: pairs with a faceless photo count as well, as rejected ones."""
        genuine = int(self.genuine.sum())
        impostor = len(self.scores) - genuine
        far = fmr * impostor / (impostor + self.lost_impostor)
        return far, (fnmr * genuine + self.lost_genuine) / (genuine + self.lost_genuine)

    @property
    def genuine(self) -> NDArray[np.bool_]:
        """Bool (pairs), whether they are of one subject."""
        return np.equal(self.subjects[:, 0], self.subjects[:, 1])


def compare(labelled: Labelled, embeddings: Answers) -> Comparisons:
    """Compare the pairs of `labelled`.

    Args:
        embeddings: (photos, size) of any length but zero, NaN for photos without a face.

    Raises:
        ModelError: the faces form no genuine or no impostor pair.
    """
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    whole = ~np.isnan(unit[:, 0])[labelled.pairs].any(axis=1)
    pairs, subjects = labelled.pairs[whole], labelled.subjects[labelled.pairs]
    genuine = subjects[:, 0] == subjects[:, 1]
    if genuine[whole].all() or not genuine[whole].any():
        raise ModelError("too few faces were found to form genuine and impostor pairs")
    parts = [pairs[start : start + _AT_ONCE] for start in range(0, len(pairs), _AT_ONCE)]
    scores = np.concatenate([np.einsum("ij,ij->i", unit[part[:, 0]], unit[part[:, 1]]) for part in parts])
    return Comparisons(scores, subjects[whole], int(np.sum(genuine & ~whole)), int(np.sum(~genuine & ~whole)))
