"""Intervals by their definitions, draws of subjects, and the figures of a curve."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.bootstrap import draws, pair_weights
from evaluation.figures import GRID, Plan, RequestedPoints, figures
from evaluation.intervals import (
    Estimate,
    percentile_interval,
    rule_of_thirty,
    rule_of_three,
    wilson,
    without_errors,
    without_misses,
)
from evaluation.verification import Curve, curve
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


def test_figures_have_the_intervals_of_their_replicates() -> None:
    """The threshold for a rate is searched for in each replicate, but the FMR is that at the threshold of the curve."""
    random = np.random.default_rng(0)
    whole, *replicates = (curve(random.normal(1.5, 1, 30), random.normal(0, 1, 90)) for _ in range(31))
    plan = Plan({"own": 0.5, "low": -9.0, "high": 9.0}, (0.1,), 30, 0, silent)
    found = figures(whole, replicates, RequestedPoints(plan, "FMR", "pairs"), 30, 90)

    def interval(measure: Callable[[Curve], float]) -> Estimate:
        return percentile_interval(measure(whole), np.array([measure(each) for each in replicates]))

    own, low, high, best, wanted = found.points
    assert (own.name, own.threshold) == ("own", Estimate(0.5, 0.5, 0.5))
    assert own.fmr == interval(lambda each: each.at(0.5).fmr)
    assert own.fnmr == interval(lambda each: each.at(0.5).fnmr)
    assert own.balanced_accuracy == interval(lambda each: each.at(0.5).balanced_accuracy)
    assert (low.fnmr, high.fmr) == (Estimate(0, 0, 3 / 30), Estimate(0, 0, 3 / 90))
    assert best.threshold == interval(lambda each: each.best().threshold)
    assert wanted.threshold == interval(lambda each: each.at_fmr(0.1).threshold)
    assert wanted.fmr == interval(lambda each: each.at(wanted.threshold.value).fmr)
    assert wanted.fnmr == interval(lambda each: each.at_fmr(0.1).fnmr)
    assert (found.area, found.equal_error_rate) == (interval(Curve.area), interval(Curve.equal_error_rate))
    misses = interval(lambda each: float(each.fnmr_at(GRID[20:21])[0]))
    assert found.band[:, 20].tolist() == [misses.low, misses.high]
