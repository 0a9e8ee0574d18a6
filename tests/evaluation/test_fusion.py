"""Logistic regression and operating points, by their properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from evaluation.error_rates import error_rates
from evaluation.fusion import FOLDS, RIDGE, check_enough, counted, cross_validated, fit, logistic_regression, shift_at
from evaluation.intervals import wilson
from models.card import Attack, BonaFide
from models.errors import ModelError

SEEDS = st.integers(0, 2**32 - 1)
brief = settings(max_examples=30)


def drawn(seed: int, photos: int = 60, members: int = 2) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Logits of members that tell live photos from spoofs to some degree, and which photos are live: half of them."""
    random = np.random.default_rng(seed)
    live = np.arange(photos) % 2 == 0
    return random.normal(size=(photos, members)) * 2 + np.where(live, 3, -3)[:, None], live


@brief
@given(seed=SEEDS, members=st.integers(1, 3), spread=st.sampled_from([0.1, 1, 4]))
def test_the_gradient_of_the_regression_is_zero(seed: int, members: int, spread: float) -> None:
    features, positive = drawn(seed, members=members)
    features *= spread
    weights, bias = logistic_regression(features, positive)
    missing = positive - 1 / (1 + np.exp(-(features @ weights + bias)))
    np.testing.assert_allclose(features.T @ missing, RIDGE * weights, atol=1e-6)
    assert missing.sum() == pytest.approx(0, abs=1e-6)


@given(logits=st.lists(st.floats(-20, 20), min_size=1, unique=True), bpcer=st.floats(0, 0.5))
def test_the_shift_rejects_as_many_live_photos_as_it_may(logits: list[float], bpcer: float) -> None:
    live = np.array(logits)
    rejected = np.count_nonzero(live + shift_at(live, bpcer) < 0)
    assert rejected <= int(bpcer * len(live))
    if np.diff(np.sort(live)).min(initial=np.inf) > 1e-6:
        assert rejected == int(bpcer * len(live))


@brief
@given(seed=SEEDS, members=st.integers(1, 2), bpcer=st.floats(0.02, 0.2))
def test_a_fit_has_the_bpcer_that_it_was_asked_for(seed: int, members: int, bpcer: float) -> None:
    logits, live = drawn(seed, photos=200, members=members)
    fitted = fit(logits, live, bpcer)
    # Three decimals may move a photo that is just at the threshold.
    assert abs(np.count_nonzero(~fitted.live(logits)[live]) - int(bpcer * live.sum())) <= 1
    if members == 1:
        assert (fitted.weights, fitted.bias) == ((1.0,), 0.0)


def test_every_photo_is_classified_by_a_fit_without_it() -> None:
    logits, live = drawn(1, photos=100)
    logits[0] = 20 * (1 - 2 * live[0])
    accepted = cross_validated(logits, live, 0.05, seed=0)
    assert accepted[0] != live[0]
    assert np.mean(accepted[live]) > 0.8 > 0.5 > np.mean(accepted[~live])


def test_counts_become_error_rates_by_kind() -> None:
    accepted = np.array([True, False, True, True, False])
    counts = counted(accepted, ["live", "live", "spoof/print", "spoof", "spoof/print"])
    assert counts == (
        BonaFide(photos=2, rejected=1),
        (Attack(kind="spoof", photos=1, passed=1), Attack(kind="print", photos=2, passed=1)),
    )
    assert {rate.name: rate.estimate for rate in error_rates(*counts)} == {
        "BPCER": wilson(1, 2),
        "APCER spoof": wilson(1, 1),
        "APCER print": wilson(1, 2),
        "APCER of all attacks": wilson(2, 3),
    }


def test_too_few_photos_to_hold_some_out_are_refused() -> None:
    check_enough(["live"] * FOLDS + ["spoof/print"] * FOLDS)
    for live, spoofs in ((FOLDS - 1, FOLDS), (FOLDS, FOLDS - 1)):
        with pytest.raises(ModelError, match=f"{live} live photos and {spoofs} spoofs"):
            check_enough(["live"] * live + ["spoof/print"] * spoofs)
