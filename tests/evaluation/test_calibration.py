"""The threshold for a wished rate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.calibration import calibrated
from evaluation.verification import curve
from models.errors import ModelError

SCORES = st.lists(st.floats(-1, 0.999), min_size=1, max_size=40).map(np.array)


@given(impostor=SCORES, fmr=st.floats(0, 1))
def test_it_is_the_least_of_six_decimals_with_that_rate(impostor: np.ndarray, fmr: float) -> None:
    threshold = calibrated(curve(np.array([1.0]), impostor), fmr)
    assert threshold == round(threshold, 6)
    allowed = int(fmr * len(impostor) + 1e-9)
    assert np.sum(impostor >= threshold) <= allowed
    if allowed < len(impostor):
        assert np.sum(impostor >= threshold - 1e-6 - 1e-12) > allowed


def test_impostors_that_score_1_leave_no_threshold() -> None:
    with pytest.raises(ModelError, match="too many of these photos score 1"):
        calibrated(curve(np.array([1.0]), np.array([1.0, 0.5])), 0.1)
    assert calibrated(curve(np.array([1.0]), np.array([1.0, 0.5])), 0.5) == 0.500001
