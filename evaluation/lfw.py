"""View 2 of Labeled Faces in the Wild: accuracy over folds of pairs.

Each fold has 300 genuine pairs followed by 300 impostor pairs. The threshold of a fold is the one with the best
accuracy on all other folds. Huang, Ramesh, Berg and Learned-Miller, "Labeled Faces in the Wild: a database for studying
face recognition in unconstrained environments", University of Massachusetts Amherst, technical report 07-49, 2007.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.answers import Answers
from evaluation.comparisons import cosines
from evaluation.labelled import Labelled
from evaluation.verification import Scores, curve
from models.errors import ModelError

FMRS = (1e-2, 1e-3)
PER_KIND = 300
"""Number of genuine pairs in a fold, and of impostor pairs."""
_ROWS = 2 * PER_KIND


@dataclass(frozen=True, slots=True)
class Fold:
    """The measurements of one fold.

    Attributes:
        threshold: the best threshold on the other folds.
        accuracy: the share of correctly classified pairs. A pair with a faceless photo is rejected, so a genuine one is
            an error.
        false_matches, false_non_matches: numbers of wrongly classified pairs.
        faceless: number of pairs with a faceless photo.
    """

    threshold: float
    accuracy: float
    false_matches: int
    false_non_matches: int
    faceless: int


@dataclass(frozen=True, slots=True)
class FoldAccuracy:
    """The accuracy over all folds.

    Attributes:
        deviation: the sample standard deviation (n - 1).
        standard_error: standard error of the mean. The authors of LFW require it.
    """

    mean: float
    deviation: float
    standard_error: float
    folds: tuple[Fold, ...]


def check_folds(labelled: Labelled) -> None:
    """Check that the pairs are two or more folds in the order of View 2.

    Raises:
        ModelError: the pairs are not.
    """
    folds = len(labelled.pairs) // _ROWS
    if labelled.whole or folds < 2 or not np.array_equal(labelled.genuine, np.tile(np.arange(_ROWS) < PER_KIND, folds)):
        raise ModelError(
            f"the protocol lfw needs a CSV file of pairs in the order of LFW's View 2: at least two folds, "
            f"each with {PER_KIND} genuine and then {PER_KIND} impostor rows"
        )


def fold_accuracy(labelled: Labelled, embeddings: Answers) -> FoldAccuracy:
    """Measure the accuracy on pairs that pass `check_folds`.

    Args:
        embeddings: (photos, size), NaN for photos without a face.

    Raises:
        ModelError: without one of the folds, no genuine or no impostor pair with faces is left.
    """
    scores, genuine = cosines(labelled.pairs, embeddings), labelled.genuine
    fold, folds = np.arange(len(scores)) // _ROWS, list[Fold]()
    for number in range(fold[-1] + 1):
        own = fold == number
        folds.append(_measured(scores[own], genuine[own], _best(scores[~own], genuine[~own])))
    accuracies = [each.accuracy for each in folds]
    deviation = float(np.std(accuracies, ddof=1))
    return FoldAccuracy(float(np.mean(accuracies)), deviation, deviation / math.sqrt(len(folds)), tuple(folds))


def _best(scores: Scores, genuine: NDArray[np.bool_]) -> float:
    """The threshold with the best accuracy. Pairs with a faceless photo are ignored: every threshold rejects them."""
    found = ~np.isnan(scores)
    matching, others = scores[found & genuine], scores[found & ~genuine]
    if not (len(matching) and len(others)):
        raise ModelError("too few faces were found to choose the threshold of a fold on the other folds")
    return curve(matching, others).best(len(matching) / (len(matching) + len(others))).threshold


def _measured(scores: Scores, genuine: NDArray[np.bool_], threshold: float) -> Fold:
    # A comparison with NaN is false, so pairs with a faceless photo are rejected.
    match = scores >= threshold
    return Fold(
        threshold,
        float(np.mean(match == genuine)),
        int(np.sum(match & ~genuine)),
        int(np.sum(~match & genuine)),
        int(np.sum(np.isnan(scores))),
    )
