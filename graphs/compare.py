"""Compare two embeddings."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Distances:
    """Similarity of two embeddings and the distances between them.

    Attributes:
        cosine: cosine similarity, -1 to 1.
        euclidean: Euclidean distance.
        manhattan: Manhattan distance.
    """

    cosine: float
    euclidean: float
    manhattan: float


def distances(first: NDArray[np.float32], second: NDArray[np.float32]) -> Distances:
    """Compare two embeddings of shape (n). They need not have length 1.

    Raises:
        ValueError: an embedding is zero or not finite, so the model is defective.
    """
    a, b = first.astype(np.float64), second.astype(np.float64)
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    if not (0 < lengths < np.inf):
        raise ValueError("an embedding is zero or not finite")
    cosine = float(a @ b) / lengths
    # Rounding can make the cosine of a vector with itself greater than 1.
    return Distances(min(max(cosine, -1.0), 1.0), float(np.linalg.norm(a - b)), float(np.abs(a - b).sum()))
