"""Error rates of verification by their definitions, thresholds for target rates, and the scale of similarities."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from evaluation.calibration import Target
from evaluation.similarity import fit_scale
from evaluation.verification import Scores, Trials, curve
from models.errors import ModelError
from models.similarity import STATED

# A coarse grid, so that scores are often equal.
SCORE = st.integers(-20, 20).map(lambda number: number / 20)
SCORES = st.lists(SCORE, min_size=1, max_size=25).map(lambda values: np.array(values, dtype=np.float64))
THRESHOLD = SCORE | st.floats(-1.5, 1.5)
RATE = st.sampled_from([0.0, 0.05, 0.1, 0.2, 0.25, 1 / 3, 0.5]) | st.floats(0, 0.99)
"""Some rates that a few trials can have exactly, and any others."""


@given(genuine=SCORES, impostor=SCORES, threshold=THRESHOLD)
def test_error_rates_are_shares_of_their_pairs(genuine: Scores, impostor: Scores, threshold: float) -> None:
    found = curve(genuine, impostor)
    assert (np.diff(found.thresholds) > 0).all()
    assert (found.fmr[0], found.fnmr[0], found.fmr[-1], found.fnmr[-1]) == (1, 0, 0, 1)
    point = found.at(threshold)
    assert point.fmr == pytest.approx(np.mean(impostor >= threshold))
    assert point.fnmr == pytest.approx(np.mean(genuine < threshold))
    assert point.balanced_accuracy == pytest.approx(np.mean([np.mean(genuine >= threshold), 1 - point.fmr]))


@given(genuine=SCORES, impostor=SCORES, rate=RATE)
def test_a_wanted_rate_gives_the_extreme_threshold_that_keeps_it(
    genuine: Scores, impostor: Scores, rate: float
) -> None:
    found = curve(genuine, impostor)
    lowest, highest = found.at_fmr(rate), found.at_fnmr(rate)
    assert lowest.fmr <= rate + 1e-9
    assert found.at(float(np.nextafter(lowest.threshold, -np.inf))).fmr > rate
    assert highest.fnmr <= rate + 1e-9
    assert found.at(float(np.nextafter(highest.threshold, np.inf))).fnmr > rate
    assert [found.at(point.threshold) for point in (lowest, highest)] == [lowest, highest]
    assert found.fnmr_at(np.array([rate, 1.0])).tolist() == [lowest.fnmr, 0]


@given(genuine=SCORES, impostor=SCORES)
def test_the_area_is_the_chance_that_a_genuine_pair_scores_higher(genuine: Scores, impostor: Scores) -> None:
    wins = [(g > i) + (g == i) / 2 for g in genuine for i in impostor]
    assert curve(genuine, impostor).area() == pytest.approx(sum(wins) / len(wins))


@given(genuine=SCORES, impostor=SCORES, threshold=THRESHOLD, share=st.floats(0.1, 0.9))
def test_no_threshold_is_better_than_the_best(
    genuine: Scores, impostor: Scores, threshold: float, share: float
) -> None:
    found = curve(genuine, impostor)
    assert found.best() == found.best(0.5)
    point, other = found.best(share), found.at(threshold)
    assert (1 - share) * point.fmr + share * point.fnmr <= (1 - share) * other.fmr + share * other.fnmr + 1e-12
    assert point == found.at(point.threshold)


def test_the_best_threshold_is_in_the_middle_of_its_gap() -> None:
    assert curve(np.array([0.6, 0.7]), np.array([0.1, 0.2])).best().threshold == pytest.approx(0.4)


@given(genuine=SCORES, impostor=SCORES)
def test_the_equal_error_rate_is_where_the_curve_crosses_the_diagonal(genuine: Scores, impostor: Scores) -> None:
    found = curve(genuine, impostor)
    crossings = []
    for (fmr0, fnmr0), (fmr1, fnmr1) in pairwise(zip(found.fmr, found.fnmr, strict=True)):
        if fnmr0 <= fmr0 and fnmr1 >= fmr1:
            share = 0 if fmr0 == fnmr0 else (fmr0 - fnmr0) / ((fmr0 - fnmr0) + (fnmr1 - fmr1))
            crossings.append(fmr0 + share * (fmr1 - fmr0))
    assert [crossings[0], crossings[-1]] == pytest.approx([found.equal_error_rate()] * 2)


@given(genuine=SCORES, impostor=SCORES, data=st.data())
def test_a_weight_counts_as_so_many_equal_trials(genuine: Scores, impostor: Scores, data: st.DataObject) -> None:
    scores, kinds = np.concatenate([genuine, impostor]), np.repeat([True, False], [len(genuine), len(impostor)])
    weights = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(scores), max_size=len(scores))))
    weights[[0, -1]] += 1
    weighted = Trials(scores, kinds).curve(weights)
    repeated = curve(np.repeat(genuine, weights[: len(genuine)]), np.repeat(impostor, weights[len(genuine) :]))
    for threshold in (-1.1, *scores, 1.1):
        one, other = weighted.at(threshold), repeated.at(threshold)
        assert (one.fmr, one.fnmr) == pytest.approx((other.fmr, other.fnmr))
    assert weighted.area() == pytest.approx(repeated.area())


FINE = st.lists(st.floats(-1, 0.999), min_size=1, max_size=40).map(np.array)


@given(scores=FINE, rate=st.floats(0, 0.99))
def test_a_calibrated_threshold_is_the_last_of_six_decimals_within_its_rate(scores: Scores, rate: float) -> None:
    allowed = int(rate * len(scores) + 1e-9)
    fmr = Target("FMR", rate).threshold(curve(np.array([1.0]), scores))
    bpcer = Target("BPCER", rate).threshold(curve(scores, np.array([-2.0])))
    assert [fmr, bpcer] == [round(fmr, 6), round(bpcer, 6)]
    assert np.sum(scores >= fmr) <= allowed < np.sum(scores >= fmr - 1e-6 - 1e-12)
    assert np.sum(scores < bpcer) <= allowed < np.sum(scores < bpcer + 1e-6 + 1e-12)


def test_impostors_that_score_1_leave_no_threshold() -> None:
    found = curve(np.array([1.0]), np.array([1.0, 0.5]))
    with pytest.raises(ModelError, match="no threshold keeps FMR at or below 10 %: too many scores are 1"):
        Target("FMR", 0.1).threshold(found)
    assert [Target("FMR", rate).threshold(found) for rate in (0.5, 1)] == [0.500001, 0.5]


def made_up(people: int, size: int = 24) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Embeddings of two photos of each person."""
    random = np.random.default_rng(0)
    subjects = np.repeat(np.arange(people), 2)
    return random.normal(size=(people, size))[subjects] + 0.3 * random.normal(size=(2 * people, size)), subjects


def test_the_false_match_rate_falls_from_80_to_99_as_chosen_and_is_stated() -> None:
    embeddings, subjects = made_up(1000)
    fitted = fit_scale(embeddings, subjects)
    assert (fitted.impostors, fitted.genuines) == (1_998_000, 1000)
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    first, second = np.triu_indices(len(unit), 1)
    cosines, genuine = (unit @ unit.T)[first, second], subjects[first] == subjects[second]
    thresholds = [fitted.scale.cosine(percent) for percent in STATED]
    measured = [float(np.mean(cosines[~genuine] >= threshold)) for threshold in thresholds]
    assert measured[0] == pytest.approx(1e-3, rel=0.03)
    assert measured[-1] == pytest.approx(1e-5, rel=0.3)
    assert list(fitted.fmr) == pytest.approx(measured, rel=0.06)
    missed = [float(np.mean(cosines[genuine] < threshold)) for threshold in thresholds]
    assert list(fitted.fnmr) == pytest.approx(missed, abs=2e-3)


def test_too_few_pairs_are_refused() -> None:
    with pytest.raises(ModelError, match="impostor pairs are too few"):
        fit_scale(*made_up(50))
