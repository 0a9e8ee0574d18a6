"""Intervals against what defines them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.intervals import (
    Estimate,
    percentile_interval,
    rule_of_thirty,
    rule_of_three,
    wilson,
    without_errors,
    without_misses,
)


@given(trials=st.integers(1, 500), data=st.data())
def test_wilsons_bounds_are_the_rates_that_the_score_test_just_does_not_reject(
    trials: int, data: st.DataObject
) -> None:
    errors = data.draw(st.integers(0, trials))
    found = wilson(errors, trials)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.value == errors / trials
    for bound in {found.low, found.high} - {0.0, 1.0}:
        deviation = abs(found.value - bound) / math.sqrt(bound * (1 - bound) / trials)
        assert deviation == pytest.approx(1.959964, abs=1e-5)


def test_wilson_of_a_textbook() -> None:
    # 10 of 100: 0.0552 to 0.1744.
    found = wilson(10, 100)
    assert (found.value, found.low, found.high) == pytest.approx((0.1, 0.05523, 0.17437), abs=1e-5)
    assert wilson(0, 10).low == 0
    assert wilson(10, 10).high == 1


def test_a_percentile_interval_is_the_middle() -> None:
    assert percentile_interval(0.4, np.arange(1001) / 1000) == Estimate(0.4, 0.025, 0.975)


@pytest.mark.parametrize("trials", [60, 300, 3000])
def test_the_rule_of_three_bounds_what_would_have_shown_an_error(trials: int) -> None:
    assert (1 - rule_of_three(trials)) ** trials == pytest.approx(0.05, abs=0.004)
    assert rule_of_three(1) == 1


def test_where_nothing_went_wrong_the_rule_of_three_bounds_what_might() -> None:
    assert without_errors(Estimate(0.0, 0.0, 0.0), 300) == Estimate(0.0, 0.0, 0.01)
    assert without_errors(Estimate(0.0, 0.0, 0.02), 300) == Estimate(0.0, 0.0, 0.02)
    assert without_misses(Estimate(1.0, 1.0, 1.0), 300) == Estimate(1.0, 0.99, 1.0)
    for bound in (without_errors, without_misses):
        assert bound(Estimate(0.5, 0.5, 0.5), 300) == Estimate(0.5, 0.5, 0.5)


def test_the_rule_of_thirty_asks_for_thirty_errors() -> None:
    assert [rule_of_thirty(rate) for rate in (0.1, 0.01, 0.001)] == [300, 3000, 30000]
