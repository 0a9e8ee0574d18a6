"""POST /api/v1/compare-faces of the DeepFace service (seed 004)."""

import math
from functools import cache
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.api.test_deepface import refusal
from tests.api.test_match import shape
from tests.fakes import client, unit

COMPARED = {
    "is_same_person": True,
    "distance": 0.35,
    "similarity": 0.65,
    "confidence": 0.49,
    "threshold_used": 0.68,
    "distance_metric": "cosine",
}
"""The response as the contract documents it."""


@cache
def anyone() -> TestClient:
    """A client for what no stage is asked."""
    return client()


def compare(first: Any, second: Any, **fields: Any) -> httpx.Response:
    body = {"embedding1": first, "embedding2": second, **fields}
    response: httpx.Response = anyone().post("/api/v1/compare-faces", json=body)
    return response


def test_two_embeddings_are_compared_in_the_contracts_form() -> None:
    response = compare(*unit(0.65), threshold=0.68, distance_metric="cosine")
    assert response.status_code == 200
    found = response.json()
    assert shape(found) == shape(COMPARED)
    numbers = {name: value for name, value in found.items() if isinstance(value, float)}
    assert numbers == pytest.approx({name: COMPARED[name] for name in numbers}, abs=0.005)
    assert {**COMPARED, **numbers} == found


@pytest.mark.parametrize(
    ("metric", "threshold"), [(None, 0.68), ("cosine", 0.68), ("euclidean", 4.15), ("euclidean_l2", 1.13)]
)
def test_the_thresholds_are_the_contracts_where_the_request_names_none(metric: str | None, threshold: float) -> None:
    fields = {"distance_metric": metric} if metric else {}
    for more in ({}, {"threshold": None}):
        found = compare([1, 0], [0, 1], **fields, **more).json()
        assert found["threshold_used"] == threshold
        assert found["distance_metric"] == (metric or "cosine")


@pytest.mark.parametrize(
    ("metric", "second", "distance", "similarity"),
    [
        ("cosine", [0, 5], 1.0, 0.0),
        ("cosine", [-5, 0], 2.0, -1.0),
        ("cosine", [6, 8], 0.4, 0.6),
        ("euclidean", [3, 4], 4.0, 0.2),
        ("euclidean", [3, 0], 0.0, 1.0),
        ("euclidean_l2", [0, 5], math.sqrt(2), 0.0),
        ("euclidean_l2", [-5, 0], 2.0, -1.0),
        ("euclidean_l2", [6, 8], math.sqrt(0.8), 0.6),
    ],
)
def test_every_metric_has_its_distance_and_similarity(
    metric: str, second: list[float], distance: float, similarity: float
) -> None:
    found = compare([3, 0], second, distance_metric=metric).json()
    assert found["distance"] == pytest.approx(distance, abs=1e-12)
    assert found["similarity"] == pytest.approx(similarity, abs=1e-12)


def test_a_distance_at_the_threshold_is_of_two_people() -> None:
    fields = {"distance_metric": "euclidean"}
    assert compare([3, 0], [3, 4], threshold=4, **fields).json()["is_same_person"] is False
    assert compare([3, 0], [3, 4], threshold=4.0001, **fields).json()["is_same_person"] is True
    assert compare([3, 0], [3, 4], **fields).json()["is_same_person"] is True


def test_the_confidence_ends_at_the_threshold() -> None:
    fields = {"distance_metric": "euclidean"}
    assert compare([3, 0], [3, 4], threshold=16, **fields).json()["confidence"] == 0.75
    assert compare([3, 0], [3, 4], threshold=4, **fields).json()["confidence"] == 0
    assert compare([3, 0], [3, 4], threshold=5e-324, **fields).json()["confidence"] == 0
    assert compare([3, 0], [3, 0], threshold=5e-324, **fields).json()["confidence"] == 1


PAIRS = st.integers(1, 6).flatmap(
    lambda size: st.tuples(
        *[
            st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=size, max_size=size).filter(any)
            for _ in range(2)
        ]
    )
)


@given(PAIRS, st.sampled_from(["cosine", "euclidean", "euclidean_l2"]), st.none() | st.floats(1e-6, 1e6))
def test_the_rules_hold_for_every_pair(
    pair: tuple[list[float], list[float]], metric: str, threshold: float | None
) -> None:
    found = compare(*pair, distance_metric=metric, threshold=threshold).json()
    distance, used = found["distance"], found["threshold_used"]
    assert 0 <= distance < math.inf
    assert found["is_same_person"] is (distance < used)
    assert found["confidence"] == max(0, 1 - distance / used)
    assert (found["confidence"] > 0) is (distance / used < 1)
    assert -1 - 1e-9 <= found["similarity"] <= 1
    assert compare(pair[1], pair[0], distance_metric=metric, threshold=threshold).json() == found


@given(PAIRS)
def test_the_two_normalised_metrics_tell_the_same(pair: tuple[list[float], list[float]]) -> None:
    cosine, euclidean = (compare(*pair, distance_metric=metric).json() for metric in ("cosine", "euclidean_l2"))
    assert cosine["similarity"] == pytest.approx(euclidean["similarity"], abs=1e-9)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("threshold", "0"),
        ("threshold", "-1"),
        ("threshold", "NaN"),
        ("threshold", "Infinity"),
        ("threshold", "1e999"),
        ("threshold", '"high"'),
        ("distance_metric", '"manhattan"'),
        ("distance_metric", "null"),
        ("embedding1", "[1, NaN]"),
        ("embedding1", "[1, -Infinity]"),
        ("embedding1", "[1, 1e308]"),
        ("embedding1", '["1", "2"]'),
        ("embedding2", "[true, false]"),
        ("embedding2", "[0, 0]"),
        ("embedding2", "[]"),
        ("embedding2", f"[{'1,' * 4096}1]"),
        ("embedding2", '"QUJD"'),
    ],
)
def test_what_cannot_be_compared_is_refused_by_name(field: str, value: str) -> None:
    fields = {"embedding1": "[1, 2]", "embedding2": "[2, 1]", field: value}
    body = "{" + ", ".join(f'"{name}": {text}' for name, text in fields.items()) + "}"
    response = anyone().post("/api/v1/compare-faces", content=body, headers={"content-type": "application/json"})
    code, message = refusal(response)
    assert code == "INVALID_REQUEST"
    assert message.startswith(field)


def test_an_embedding_of_another_network_is_refused() -> None:
    assert refusal(compare([1, 0, 1] + [0] * 509, [1, 0])) == (
        "INVALID_REQUEST",
        "embedding1 is of another network: this one gives 2 numbers, and the numbers after them are not all zero",
    )
