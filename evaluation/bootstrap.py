"""Bootstrap replicates that respect who is in the photos."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def draws(subjects: int, replicates: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """How often each of the subjects is drawn, int64 (subjects), a replicate at a time.

    As many subjects as there are, with replacement: pairs that share a subject depend on one another, so that
    pairs drawn one by one would give intervals that are much too narrow. Bolle, Ratha and Pankanti, "Error analysis
    of pattern recognition systems: the subsets bootstrap", Computer Vision and Image Understanding 2004.
    """
    random = np.random.default_rng(seed)
    shares = np.full(subjects, 1 / subjects)
    for _ in range(replicates):
        yield random.multinomial(subjects, shares).astype(np.int64)


def pair_weights(drawn: NDArray[np.int64], pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each pair is there when subjects are `drawn`, int64 (pairs).

    A genuine pair as often as its subject, an impostor pair as often as each of its first subject meets each of its
    second: both sides are drawn, as in Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 2007. Copies
    of one subject do not meet as impostors.

    Args:
        pairs: int64 (pairs, 2), numbers of the photos' subjects.
    """
    first, second = pairs[:, 0], pairs[:, 1]
    return np.where(first == second, drawn[first], drawn[first] * drawn[second])
