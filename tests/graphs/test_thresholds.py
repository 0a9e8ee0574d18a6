"""Which threshold decides."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from graphs.compare import distances
from graphs.policy import Policy
from graphs.thresholds import AppliedThreshold, euclidean, first_set, threshold_of
from tests.fakes import direction, stages

EMBEDDER = stages().networks["arcface"]
COSINES = st.none() | st.floats(-1, 1)
CONFIGURED, OTHERS = Policy(thresholds={"arcface": 0.7}), Policy(thresholds={"facenet": 0.7})


@given(request=COSINES, collection=COSINES, configuration=COSINES, card=st.floats(-1, 1))
def test_the_first_that_is_set_decides(
    request: float | None, collection: float | None, configuration: float | None, card: float
) -> None:
    given = {"request": request, "collection": collection, "configuration": configuration, "card": card}
    source = next(name for name, value in given.items() if value is not None)
    assert first_set(request=request, collection=collection, configuration=configuration, card=card) == (
        AppliedThreshold(given[source] or 0.0, source)  # type: ignore[arg-type]
    )


def test_a_contracts_own_counts_last() -> None:
    assert first_set(contract=0.6) == AppliedThreshold(0.6, "contract")
    assert first_set(configuration=0.5, contract=0.6) == AppliedThreshold(0.5, "configuration")


@pytest.mark.parametrize(("policy", "default"), [(CONFIGURED, (0.7, "configuration")), (OTHERS, (0.4, "card"))])
def test_an_embedders_is_the_configurations_and_otherwise_its_cards(policy: Policy, default: tuple[float, str]) -> None:
    assert threshold_of(policy, EMBEDDER) == AppliedThreshold(*default)  # type: ignore[arg-type]
    assert threshold_of(policy, EMBEDDER, collection=0.0) == AppliedThreshold(0.0, "collection")
    assert threshold_of(policy, EMBEDDER, request=-1.0, collection=0.5) == AppliedThreshold(-1.0, "request")


@pytest.mark.parametrize(("policy", "default"), [(CONFIGURED, (0.7, "configuration")), (OTHERS, (0.4, "card"))])
def test_a_distance_is_converted_from_the_embedders_and_never_the_collections(
    policy: Policy, default: tuple[float, str]
) -> None:
    found = threshold_of(policy, EMBEDDER, collection=0.9, metric="euclidean")
    assert found == AppliedThreshold(euclidean(default[0]), default[1])  # type: ignore[arg-type]
    assert threshold_of(policy, EMBEDDER, request=1.5, metric="euclidean") == AppliedThreshold(1.5, "request")


def test_the_conversion_at_its_ends() -> None:
    assert euclidean(1) == 0
    assert euclidean(0.4) == pytest.approx(1.2**0.5)
    assert euclidean(0) == pytest.approx(2**0.5)
    assert euclidean(-1) == 2


@given(st.floats(-1, 1), st.floats(0, 360), st.floats(0, 360))
def test_both_metrics_decide_alike_on_embeddings_of_length_1(threshold: float, first: float, second: float) -> None:
    found = distances(np.array(direction(first)), np.array(direction(second)))
    # But for the last digits, which decide only exactly at the threshold.
    assume(abs(found.cosine - threshold) > 1e-9)
    assert (found.cosine >= threshold) == (found.euclidean <= euclidean(threshold))


@given(st.floats(0, 180))
def test_the_distance_of_two_embeddings_is_their_cosines_conversion(angle: float) -> None:
    found = distances(np.array(direction(0)), np.array(direction(angle)))
    assert euclidean(found.cosine) == pytest.approx(found.euclidean, abs=1e-7)
