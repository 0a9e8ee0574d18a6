"""The error rates of a verification system against their definitions."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.verification import Curve, OperatingPoint, Scores, Trials, curve

# A coarse grid, so that scores are often equal.
SCORE = st.integers(-20, 20).map(lambda number: number / 20)
SCORES = st.lists(SCORE, min_size=1, max_size=25).map(lambda values: np.array(values, dtype=np.float64))


def test_scores_at_the_threshold_match() -> None:
    point = curve(np.array([0.2, 0.5, 0.9, 0.9]), np.array([0.1, 0.5])).at(0.5)
    assert point == OperatingPoint(0.5, fmr=0.5, fnmr=0.25)
    assert point.balanced_accuracy == pytest.approx(0.625)


@given(genuine=SCORES, impostor=SCORES, threshold=st.floats(-1.5, 1.5))
def test_the_error_rates_are_shares_of_their_pairs(genuine: Scores, impostor: Scores, threshold: float) -> None:
    point = curve(genuine, impostor).at(threshold)
    assert point.fmr == pytest.approx(sum(score >= threshold for score in impostor) / len(impostor))
    assert point.fnmr == pytest.approx(sum(score < threshold for score in genuine) / len(genuine))


@given(genuine=SCORES, impostor=SCORES)
def test_a_curve_goes_from_all_that_match_to_none(genuine: Scores, impostor: Scores) -> None:
    found = curve(genuine, impostor)
    assert (found.fmr[0], found.fnmr[0], found.fmr[-1], found.fnmr[-1]) == (1, 0, 0, 1)
    assert (np.diff(found.thresholds) > 0).all()
    assert (np.diff(found.fmr) <= 0).all()
    assert (np.diff(found.fnmr) >= 0).all()


@given(genuine=SCORES, impostor=SCORES, fmr=st.floats(0, 1))
def test_the_fmr_is_at_most_what_was_asked_for_at_the_lowest_threshold(
    genuine: Scores, impostor: Scores, fmr: float
) -> None:
    found = curve(genuine, impostor)
    point = found.at_fmr(fmr)
    assert point.fmr <= fmr + 1e-9
    assert point == found.at(point.threshold)
    assert found.at(float(np.nextafter(point.threshold, -np.inf))).fmr > fmr or point.fmr == 1
    assert found.fnmr_at(np.array([fmr, 1.0])).tolist() == [point.fnmr, 0]


def test_an_fmr_of_one_in_a_hundred_lets_one_of_a_hundred_pass() -> None:
    found = curve(np.array([0.985]), np.arange(100) / 100)
    assert found.at_fmr(0.01) == OperatingPoint(np.nextafter(0.98, 1), fmr=0.01, fnmr=0.0)
    assert found.at_fmr(0.0).fnmr == 1.0


@given(genuine=SCORES, impostor=SCORES, fnmr=st.floats(0, 0.99))
def test_the_fnmr_is_at_most_what_was_asked_for_at_the_highest_threshold(
    genuine: Scores, impostor: Scores, fnmr: float
) -> None:
    found = curve(genuine, impostor)
    point = found.at_fnmr(fnmr)
    assert point.fnmr <= fnmr + 1e-9
    assert point == found.at(point.threshold)
    assert found.at(float(np.nextafter(point.threshold, np.inf))).fnmr > fnmr or point.fnmr == found.fnmr[-1]


@given(genuine=SCORES, impostor=SCORES)
def test_the_area_is_the_chance_that_a_genuine_pair_scores_higher(genuine: Scores, impostor: Scores) -> None:
    wins = [(g > i) + (g == i) / 2 for g in genuine for i in impostor]
    assert curve(genuine, impostor).area() == pytest.approx(sum(wins) / len(wins))


@given(genuine=SCORES, impostor=SCORES, threshold=st.floats(-1.5, 1.5), share=st.floats(0.1, 0.9))
def test_no_threshold_is_better_than_the_best(
    genuine: Scores, impostor: Scores, threshold: float, share: float
) -> None:
    found = curve(genuine, impostor)
    assert found.best().balanced_accuracy >= found.at(threshold).balanced_accuracy - 1e-12
    point, other = found.best(share), found.at(threshold)
    assert (1 - share) * point.fmr + share * point.fnmr <= (1 - share) * other.fmr + share * other.fnmr + 1e-12
    assert point == found.at(point.threshold)


def test_the_best_threshold_stands_in_the_middle_of_its_gap() -> None:
    point = curve(np.array([0.6, 0.7]), np.array([0.1, 0.2])).best()
    assert point.threshold == pytest.approx(0.4)
    assert (point.fmr, point.fnmr) == (0, 0)


@given(genuine=SCORES, impostor=SCORES)
def test_the_equal_error_rate_lies_on_the_line_between_two_points(genuine: Scores, impostor: Scores) -> None:
    """Found by brute force: of all neighbours on the curve those that the diagonal parts."""
    found = curve(genuine, impostor)
    points = list(zip(found.fmr, found.fnmr, strict=True))
    crossings = []
    for (fmr0, fnmr0), (fmr1, fnmr1) in pairwise(points):
        if fnmr0 <= fmr0 and fnmr1 >= fmr1:
            share = 0 if fmr0 == fnmr0 else (fmr0 - fnmr0) / ((fmr0 - fnmr0) + (fnmr1 - fmr1))
            crossings.append(fmr0 + share * (fmr1 - fmr0))
    rate = found.equal_error_rate()
    assert rate == pytest.approx(crossings[0])
    assert rate == pytest.approx(crossings[-1])


@pytest.mark.parametrize(
    ("genuine", "impostor", "rate"),
    [
        ([0.9], [0.1], 0),
        ([0.1], [0.9], 1),
        ([0.5], [0.5], 0.5),
        ([0.2, 0.8], [0.1, 0.3], 0.5),
        ([1, 1, 0], [0, 0, 1], 1 / 3),
    ],
)
def test_equal_error_rates_by_hand(genuine: list[float], impostor: list[float], rate: float) -> None:
    assert curve(np.array(genuine, float), np.array(impostor, float)).equal_error_rate() == pytest.approx(rate)


@given(genuine=SCORES, impostor=SCORES, data=st.data())
def test_a_weight_counts_like_so_many_equal_trials(genuine: Scores, impostor: Scores, data: st.DataObject) -> None:
    scores, kinds = np.concatenate([genuine, impostor]), np.repeat([True, False], [len(genuine), len(impostor)])
    weights = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(scores), max_size=len(scores))))
    weights[[0, -1]] += 1
    weighted = Trials(scores, kinds).curve(weights)
    repeated = curve(np.repeat(genuine, weights[: len(genuine)]), np.repeat(impostor, weights[len(genuine) :]))
    for threshold in (-1.1, *scores, 1.1):
        one, other = weighted.at(threshold), repeated.at(threshold)
        assert (one.fmr, one.fnmr) == pytest.approx((other.fmr, other.fnmr))
    assert weighted.area() == pytest.approx(repeated.area())
    assert weighted.equal_error_rate() == pytest.approx(repeated.equal_error_rate())


def test_without_a_trial_of_a_kind_there_is_no_curve() -> None:
    trials = Trials(np.array([0.1, 0.9]), np.array([False, True]))
    with pytest.raises(ValueError, match="genuine and impostor"):
        trials.curve(np.array([1, 0]))
    assert isinstance(trials.curve(np.array([1, 2])), Curve)
