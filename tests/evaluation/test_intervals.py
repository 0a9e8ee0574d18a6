"""Intervals against their definitions, and draws of subjects."""

import math
from collections import Counter
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from evaluation.bootstrap import draws, pair_weights
from evaluation.figures import Plan, RequestedPoints, figures
from evaluation.intervals import (
    Estimate,
    percentile_interval,
    rule_of_thirty,
    rule_of_three,
    wilson,
    without_errors,
    without_misses,
)
from evaluation.verification import Trials
from tests.evaluation import silent


@given(trials=st.integers(1, 500), data=st.data())
def test_wilsons_bounds_are_the_rates_that_the_score_test_just_accepts(trials: int, data: st.DataObject) -> None:
    errors = data.draw(st.integers(0, trials))
    found = wilson(errors, trials)
    assert 0 <= found.low <= found.value == errors / trials <= found.high <= 1
    assert (found.low == 0, found.high == 1) == (errors == 0, errors == trials)
    for bound in {found.low, found.high} - {0.0, 1.0}:
        deviation = abs(found.value - bound) / math.sqrt(bound * (1 - bound) / trials)
        assert deviation == pytest.approx(1.959964, abs=1e-5)


def test_a_percentile_interval_is_the_middle() -> None:
    assert percentile_interval(0.4, np.arange(1001) / 1000) == Estimate(0.4, 0.025, 0.975)


@pytest.mark.parametrize("trials", [60, 3000])
def test_the_rule_of_three_bounds_a_rate_without_errors(trials: int) -> None:
    assert (1 - rule_of_three(trials)) ** trials == pytest.approx(0.05, abs=0.004)
    assert rule_of_three(1) == 1
    assert without_errors(Estimate(0.0, 0.0, 0.0), trials) == Estimate(0.0, 0.0, 3 / trials)
    assert without_errors(Estimate(0.0, 0.0, 0.2), trials) == Estimate(0.0, 0.0, 0.2)
    assert without_misses(Estimate(1.0, 1.0, 1.0), trials) == Estimate(1.0, 1 - 3 / trials, 1.0)
    for bounded in (without_errors, without_misses):
        assert bounded(Estimate(0.5, 0.5, 0.5), trials) == Estimate(0.5, 0.5, 0.5)


def test_the_rule_of_thirty_asks_for_thirty_errors() -> None:
    assert [rule_of_thirty(rate) for rate in (0.1, 0.001)] == [300, 30000]


def test_as_many_subjects_are_drawn_as_there_are_by_the_seed() -> None:
    first, again, other = (list(draws(7, 50, seed)) for seed in (1, 1, 2))
    assert all(drawn.sum() == 7 for drawn in first)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.mean(first) == 1


def test_a_pair_counts_as_often_as_its_subjects_meet() -> None:
    """By brute force: count each pair among the copies of the drawn subjects."""
    subjects = np.array([0, 0, 1, 1, 1, 2])
    pairs = np.stack(np.triu_indices(len(subjects), 1), axis=1)
    drawn = np.array([2, 0, 3])
    copies = [(subject, copy) for subject, times in enumerate(drawn) for copy in range(times)]
    for (first, second), weight in zip(pairs, pair_weights(drawn, subjects[pairs]), strict=True):
        a, b = subjects[first], subjects[second]
        met = [one for one in copies for two in copies if one[0] == a and two[0] == b and (a != b or one == two)]
        assert weight == len(met)


def sample(random: np.random.Generator, subjects: int) -> tuple[Trials, NDArray[np.int64]]:
    """Two photos per subject. Each subject shifts all its scores, so that its pairs are not independent.

    Impostor scores have mean 0 and variance 1.5, genuine scores have mean 2 and variance 1.5.
    """
    people = random.normal(0, 0.5, subjects)
    owners = np.repeat(np.arange(subjects), 2)
    pairs = owners[np.stack(np.triu_indices(2 * subjects, 1), axis=1)]
    a, b = pairs.T
    scores = np.where(a == b, 2 + people[a] * 2**0.5, people[a] + people[b]) + random.normal(0, 1, len(pairs))
    return Trials(scores, a == b), pairs


def test_the_intervals_contain_the_truth_as_often_as_they_should() -> None:
    truth = NormalDist(0, 1.5**0.5).cdf(-1)
    random, held = np.random.default_rng(3), Counter[str]()
    for seed in range(40):
        trials, pairs = sample(random, 30)
        replicates = (trials.curve(pair_weights(drawn, pairs)) for drawn in draws(30, 150, seed))
        requested = RequestedPoints(Plan({"at 1": 1.0}, (), 150, seed, silent), "FMR", "pairs", best=False)
        [point] = figures(trials.curve(), replicates, requested, 30, 1740).points
        for name, estimate in (("fmr", point.fmr), ("fnmr", point.fnmr)):
            held[name] += estimate.low <= truth <= estimate.high
    # If pairs were drawn instead of subjects, only 16 of 40 intervals would contain the FMR.
    assert held["fmr"] >= 34
    assert held["fnmr"] >= 33
