"""Intervals against their definitions."""

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
