"""The measures of a verification system against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from evaluation.verification import OperatingPoint, area_under_curve, at_fmr, at_threshold, best

Scores = NDArray[np.float64]

# A coarse grid, so that scores are often equal.
SCORE = st.integers(-20, 20).map(lambda number: number / 20)
SCORES = st.lists(SCORE, min_size=1, max_size=25).map(lambda values: np.array(values, dtype=np.float64))


def test_scores_at_the_threshold_match() -> None:
    point = at_threshold(np.array([0.2, 0.5, 0.9, 0.9]), np.array([0.1, 0.5]), 0.5)
    assert point == OperatingPoint(0.5, fmr=0.5, fnmr=0.25)
    assert point.balanced_accuracy == pytest.approx(0.625)


@given(genuine=SCORES, impostor=SCORES, threshold=SCORE)
def test_the_error_rates_are_shares_of_their_pairs(genuine: Scores, impostor: Scores, threshold: float) -> None:
    point = at_threshold(genuine, impostor, threshold)
    assert point.fmr == pytest.approx(sum(score >= threshold for score in impostor) / len(impostor))
    assert point.fnmr == pytest.approx(sum(score < threshold for score in genuine) / len(genuine))


@given(genuine=SCORES, impostor=SCORES, fmr=st.floats(0, 1))
def test_the_fmr_is_at_most_what_was_asked_for_at_the_lowest_threshold(
    genuine: Scores, impostor: Scores, fmr: float
) -> None:
    point = at_fmr(genuine, impostor, fmr)
    assert point.fmr <= fmr + 1e-9
    assert point == at_threshold(genuine, impostor, point.threshold)
    lower = at_threshold(genuine, impostor, float(np.nextafter(point.threshold, -np.inf)))
    assert lower.fmr > fmr or point.fmr == 1


def test_an_fmr_of_one_in_a_hundred_lets_one_of_a_hundred_pass() -> None:
    impostor = np.arange(100) / 100
    assert at_fmr(np.array([0.985]), impostor, 0.01) == OperatingPoint(np.nextafter(0.98, 1), fmr=0.01, fnmr=0.0)
    assert at_fmr(np.array([0.985]), impostor, 0.0).fnmr == 1.0


@given(genuine=SCORES, impostor=SCORES)
def test_the_area_is_the_chance_that_a_genuine_pair_scores_higher(genuine: Scores, impostor: Scores) -> None:
    wins = [(g > i) + (g == i) / 2 for g in genuine for i in impostor]
    assert area_under_curve(genuine, impostor) == pytest.approx(sum(wins) / len(wins))


@given(genuine=SCORES, impostor=SCORES, threshold=st.floats(-1.5, 1.5))
def test_no_threshold_is_better_than_the_best(genuine: Scores, impostor: Scores, threshold: float) -> None:
    point = best(genuine, impostor)
    assert point.balanced_accuracy >= at_threshold(genuine, impostor, threshold).balanced_accuracy - 1e-12
    assert point == at_threshold(genuine, impostor, point.threshold)


def test_the_best_threshold_stands_in_the_middle_of_its_gap() -> None:
    point = best(np.array([0.6, 0.7]), np.array([0.1, 0.2]))
    assert point.threshold == pytest.approx(0.4)
    assert (point.fmr, point.fnmr) == (0, 0)
