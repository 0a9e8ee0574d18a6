"""The clients of the face comparison service (seed 002), against the real one."""

from typing import Any

import httpx
import pytest

from tests.contracts import text, with_bystander

ROUTES = pytest.mark.parametrize("route", ["/compare", "/mediapipe"])
DETECTORS = {"/compare": "mtcnn", "/mediapipe": "mediapipe-full-range"}


def answer(service: httpx.Client, route: str, first: bytes, second: bytes) -> Any:
    response = service.post(route, json={"image1_base64": text(first), "image2_base64": text(second)})
    assert response.status_code == 200
    return response.json()


@ROUTES
def test_people_are_told_apart(
    service: httpx.Client, route: str, mindy: bytes, mindy_again: bytes, jerry: bytes
) -> None:
    same, different = answer(service, route, mindy, mindy_again), answer(service, route, mindy, jerry)
    assert (same["match"], different["match"]) == (True, False)
    assert 0.65 < same["similarity"] < 0.8
    assert different["similarity"] < 0.2
    assert 0 < same["image1_metrics"]["detection_time_ms"] < same["total_processing_time_ms"]
    assert same["models"] == {"detector": DETECTORS[route], "embedder": "facenet"}
    both = with_bystander(jerry, mindy)
    assert answer(service, route, both, jerry)["match"] is True
    assert answer(service, route, both, mindy)["match"] is False
