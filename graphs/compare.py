"""Comparing two embeddings."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Distances:
    """Measures between two embeddings.

    Attributes:
        cosine: cosine similarity, -1 to 1.
        euclidean: length of the difference.
        manhattan: sum of the absolute differences.
    """

    cosine: float
    euclidean: float
    manhattan: float


def distances(first: NDArray[np.float32], second: NDArray[np.float32]) -> Distances:
    """Compare two (n) embeddings, of any length but zero; the cosine does not depend on it.

    Raises:
        ValueError: an embedding is zero or not finite, as only a broken network gives it.
    """
    a, b = first.astype(np.float64), second.astype(np.float64)
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    if not (0 < lengths < np.inf):
        raise ValueError("an embedding is zero or not finite")
    cosine = float(a @ b) / lengths
    # Rounding can carry the cosine of a vector with itself past 1.
    return Distances(min(max(cosine, -1.0), 1.0), float(np.linalg.norm(a - b)), float(np.abs(a - b).sum()))
