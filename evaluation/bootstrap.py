"""Bootstrap replicates drawn by subject."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def draws(subjects: int, replicates: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield for each replicate how often each subject is drawn, int64 (subjects).

    Each replicate draws `subjects` subjects with replacement. Drawing pairs instead would give intervals that are much
    too narrow, because pairs that share a subject are not independent. Bolle, Ratha and Pankanti, "Error analysis of
    pattern recognition systems: the subsets bootstrap", Computer Vision and Image Understanding 2004.
    """
    random = np.random.default_rng(seed)
    shares = np.full(subjects, 1 / subjects)
    for _ in range(replicates):
        yield random.multinomial(subjects, shares).astype(np.int64)


def pair_weights(drawn: NDArray[np.int64], pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how often each pair occurs when subjects are `drawn`, int64 (pairs).

    A genuine pair occurs as often as its subject, an impostor pair as often as the product of its subjects' counts:
    Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 2007. Copies of a subject are not impostors of one
    another.

    Args:
        pairs: int64 (pairs, 2), the subjects of the photos.
    """
    first, second = pairs[:, 0], pairs[:, 1]
    return np.where(first == second, drawn[first], drawn[first] * drawn[second])
