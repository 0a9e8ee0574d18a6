"""Which threshold decides."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gallery.records import Collection, EmbeddingKind
from graphs.compare import distances
from graphs.policy import Policy
from graphs.thresholds import Applied, Metric, applied, configured, euclidean
from tests.fakes import direction, stages

EMBEDDER = stages().embedders["arcface"]
DEFAULTS = [Applied(0.4, "card"), Applied(0.7, "configuration"), Applied(0.0, "configuration")]


def collection(threshold: float | None) -> Collection:
    return Collection("staff", EmbeddingKind("arcface", "a", "c", 2), threshold, datetime.now(UTC), "faces")


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("requested", [0.6, 0.0, -1.0])
@pytest.mark.parametrize("searched", [None, collection(None), collection(0.5)])
def test_the_requests_counts_first_in_its_metric(requested: float, searched: Collection | None, metric: Metric) -> None:
    for default in DEFAULTS:
        assert applied(requested, searched, default, metric) == Applied(requested, "request")


@pytest.mark.parametrize("own", [0.5, 0.0, -1.0])
def test_then_the_collections(own: float) -> None:
    for default in DEFAULTS:
        assert applied(None, collection(own), default) == Applied(own, "collection")


@pytest.mark.parametrize("searched", [None, collection(None)])
@pytest.mark.parametrize("default", DEFAULTS)
def test_then_the_embedders(searched: Collection | None, default: Applied) -> None:
    assert applied(None, searched, default) == default


@pytest.mark.parametrize("value", [0.7, 0.0, -1.0])
def test_an_embedders_is_the_configurations_and_else_the_cards(value: float) -> None:
    assert configured(Policy(thresholds={"arcface": value}), "arcface", EMBEDDER) == Applied(value, "configuration")
    assert configured(Policy(thresholds={"facenet": value}), "arcface", EMBEDDER) == Applied(0.4, "card")


@pytest.mark.parametrize("searched", [None, collection(None), collection(0.9)])
@pytest.mark.parametrize("default", DEFAULTS)
def test_a_distance_has_the_embedders_converted_and_never_the_collections(
    searched: Collection | None, default: Applied
) -> None:
    found = applied(None, searched, default, "euclidean")
    assert found == Applied(euclidean(default.value), default.source)


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
