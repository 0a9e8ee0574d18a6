"""Thresholds for target error rates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.calibration import Target
from evaluation.verification import Scores, curve
from models.errors import ModelError

SCORES = st.lists(st.floats(-1, 0.999), min_size=1, max_size=40).map(np.array)


@given(impostor=SCORES, rate=st.floats(0, 1))
def test_the_lowest_threshold_of_six_decimals_has_that_fmr(impostor: Scores, rate: float) -> None:
    threshold = Target("FMR", rate).threshold(curve(np.array([1.0]), impostor))
    assert threshold == round(threshold, 6)
    allowed = int(rate * len(impostor) + 1e-9)
    assert np.sum(impostor >= threshold) <= allowed
    if allowed < len(impostor):
        assert np.sum(impostor >= threshold - 1e-6 - 1e-12) > allowed


@given(live=SCORES, rate=st.floats(0, 0.99))
def test_the_highest_threshold_of_six_decimals_has_that_bpcer(live: Scores, rate: float) -> None:
    threshold = Target("BPCER", rate).threshold(curve(live, np.array([-2.0])))
    assert threshold == round(threshold, 6)
    allowed = int(rate * len(live) + 1e-9)
    assert np.sum(live < threshold) <= allowed
    assert np.sum(live < threshold + 1e-6 + 1e-12) > allowed


def test_impostors_that_score_1_leave_no_threshold() -> None:
    found = curve(np.array([1.0]), np.array([1.0, 0.5]))
    with pytest.raises(ModelError, match="no threshold has a FMR of 10 %: too many photos score 1"):
        Target("FMR", 0.1).threshold(found)
    assert Target("FMR", 0.5).threshold(found) == 0.500001
