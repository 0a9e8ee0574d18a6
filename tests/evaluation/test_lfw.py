"""The protocol of Labeled Faces in the Wild."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.labelled import Labelled
from evaluation.lfw import check_folds, fold_accuracy
from models.errors import ModelError

VIEW_2 = np.repeat([True, False], 300)


def labelled(genuine: np.ndarray, whole: bool = False) -> Labelled:
    """Pairs of photos, each photo in one pair only."""
    subjects = np.arange(2 * len(genuine))
    subjects[1::2] -= genuine
    pairs = np.arange(2 * len(genuine)).reshape(-1, 2)
    return Labelled((Path(),) * len(subjects), subjects, pairs, whole)


def embeddings(cosines: np.ndarray) -> np.ndarray:
    """Embeddings of the photos of `labelled` with these cosines. NaN means a faceless photo."""
    second = np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1)
    return np.stack([np.tile([1.0, 0.0], (len(cosines), 1)), second], axis=1).reshape(-1, 2)


@settings(max_examples=15)
@given(seed=st.integers(0, 99), folds=st.integers(2, 4), faceless=st.integers(0, 50))
def test_each_fold_has_the_threshold_that_is_best_on_the_others(seed: int, folds: int, faceless: int) -> None:
    """Pairs with a faceless photo are rejected, so genuine ones are errors."""
    random = np.random.default_rng(seed)
    genuine = np.tile(VIEW_2, folds)
    scores = np.round(np.clip(random.normal(np.where(genuine, 0.5, 0.1), 0.2), -1, 1), 2)
    scores[random.choice(len(scores), faceless, replace=False)] = np.nan
    found = fold_accuracy(labelled(genuine), embeddings(scores))
    place = np.arange(len(scores)) // 600
    for number, fold in enumerate(found.folds):
        others, own = place != number, place == number
        accuracy = [
            np.mean((scores[others] >= each) == genuine[others])
            for each in (fold.threshold, *np.arange(-1, 1.02, 0.005))
        ]
        assert accuracy[0] >= max(accuracy) - 1e-12
        match = scores[own] >= fold.threshold
        assert fold.accuracy == np.mean(match == genuine[own])
        assert (fold.false_matches, fold.false_non_matches) == (match[300:].sum(), 300 - match[:300].sum())
        assert fold.faceless == np.isnan(scores[own]).sum()
    accuracies = [fold.accuracy for fold in found.folds]
    error = np.std(accuracies, ddof=1) / folds**0.5
    assert (found.mean, found.standard_error) == pytest.approx((np.mean(accuracies), error))


def test_too_few_faces_are_an_error() -> None:
    scores = np.where(np.tile(VIEW_2, 2), np.nan, 0.1)
    scores[600:] = 0.9
    with pytest.raises(ModelError, match="too few faces"):
        fold_accuracy(labelled(np.tile(VIEW_2, 2)), embeddings(scores))


@pytest.mark.parametrize(
    "genuine", [VIEW_2, np.tile(~VIEW_2, 2), np.tile(VIEW_2, 2)[:-1], np.repeat([True, False], 600)]
)
def test_other_orders_are_refused(genuine: np.ndarray) -> None:
    check_folds(labelled(np.tile(VIEW_2, 2)))
    for pairs in (labelled(genuine), labelled(np.tile(VIEW_2, 2), whole=True)):
        with pytest.raises(ModelError, match="a CSV file of pairs in the order of LFW's View 2"):
            check_folds(pairs)
