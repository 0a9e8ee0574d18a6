"""POST /api/v1/compare-faces of the DeepFace service (seed 004)."""

import math
from functools import cache
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.api.test_deepface import refusal
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
def without_state() -> TestClient:
    """A client for a route that asks no stage."""
    return client()


def compare(first: Any, second: Any, **fields: Any) -> httpx.Response:
    body = {"embedding1": first, "embedding2": second, **fields}
    response: httpx.Response = without_state().post("/api/v1/compare-faces", json=body)
    return response


def test_two_embeddings_are_compared_in_the_contracts_form() -> None:
    response = compare(*unit(0.65), threshold=0.68, distance_metric="cosine")
    assert response.status_code == 200
    found = response.json()
    numbers = {name: value for name, value in found.items() if isinstance(value, float)}
    assert numbers == pytest.approx({name: COMPARED[name] for name in numbers}, abs=0.005)
    assert {**COMPARED, **numbers} == found


@pytest.mark.parametrize(
    ("metric", "threshold"), [(None, 0.68), ("cosine", 0.68), ("euclidean", 4.15), ("euclidean_l2", 1.13)]
)
def test_the_default_thresholds_are_the_contracts(metric: str | None, threshold: float) -> None:
    fields = {"distance_metric": metric} if metric else {}
    for more in ({}, {"threshold": None}):
        found = compare([1, 0], [0, 1], **fields, **more).json()
        assert (found["threshold_used"], found["distance_metric"]) == (threshold, metric or "cosine")


@pytest.mark.parametrize(
    ("second", "threshold", "same", "confidence"),
    [
        ([3, 4], 16, True, 0.75),
        ([3, 4], 4.0001, True, pytest.approx(0, abs=1e-4)),
        ([3, 4], 4, False, 0),
        ([3, 4], 5e-324, False, 0),
        ([3, 0], 5e-324, True, 1),
    ],
)
def test_from_the_threshold_on_it_is_another_person_with_confidence_0(
    second: list[float], threshold: float, same: bool, confidence: float
) -> None:
    found = compare([3, 0], second, distance_metric="euclidean", threshold=threshold).json()
    assert (found["is_same_person"], found["confidence"]) == (same, confidence)


PAIRS = st.integers(1, 6).flatmap(
    lambda size: st.tuples(
        *[
            st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=size, max_size=size).filter(any)
            for _ in range(2)
        ]
    )
)


@settings(max_examples=60)
@given(PAIRS, st.sampled_from(["cosine", "euclidean", "euclidean_l2"]), st.none() | st.floats(1e-6, 1e6))
def test_the_rules_hold_for_every_pair(
    pair: tuple[list[float], list[float]], metric: str, threshold: float | None
) -> None:
    found = compare(*pair, distance_metric=metric, threshold=threshold).json()
    distance, used = found["distance"], found["threshold_used"]
    first, second = (np.array(each) / np.max(np.abs(each)) for each in pair)
    first, second = first / np.linalg.norm(first), second / np.linalg.norm(second)
    expected, similarity = {
        "cosine": (1 - first @ second, first @ second),
        "euclidean": (math.dist(*pair), 1 / (1 + math.dist(*pair))),
        "euclidean_l2": (np.linalg.norm(first - second), first @ second),
    }[metric]
    assert distance == pytest.approx(expected, rel=1e-6, abs=1e-7)
    assert found["similarity"] == pytest.approx(similarity, rel=1e-6, abs=1e-7)
    assert found["is_same_person"] is (distance < used)
    assert found["confidence"] == max(0, 1 - distance / used)
    assert compare(pair[1], pair[0], distance_metric=metric, threshold=threshold).json() == found


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("threshold", value) for value in ("0", "-1", "NaN", "1e999", '"high"')),
        *(("distance_metric", value) for value in ('"manhattan"', "null")),
        ("embedding1", "[1, NaN]"),
        ("embedding2", "[1, 0, 1]"),
    ],
)
def test_an_invalid_field_is_named(field: str, value: str) -> None:
    fields = {"embedding1": "[1, 2]", "embedding2": "[2, 1]", field: value}
    body = "{" + ", ".join(f'"{name}": {text}' for name, text in fields.items()) + "}"
    headers = {"content-type": "application/json"}
    response = without_state().post("/api/v1/compare-faces", content=body, headers=headers)
    code, message = refusal(response)
    assert code == "INVALID_REQUEST"
    assert field in message
