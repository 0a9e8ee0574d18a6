"""The clients of the face comparison service (seed 002), against the real one."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.contracts import nobody, png, text, with_bystander

ROUTES = pytest.mark.parametrize("route", ["/compare", "/mediapipe"])
DETECTORS = {"/compare": "mtcnn", "/mediapipe": "mediapipe-full-range"}


def compare(service: httpx.Client, route: str, first: bytes, second: bytes) -> httpx.Response:
    return service.post(route, json={"image1_base64": text(first), "image2_base64": text(second)})


def answer(service: httpx.Client, route: str, first: bytes, second: bytes) -> Any:
    response = compare(service, route, first, second)
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
    assert same["models"] == {"detector": DETECTORS[route], "embedder": "facenet"}
    both = with_bystander(jerry, mindy)
    assert answer(service, route, both, jerry)["match"] is True
    assert answer(service, route, both, mindy)["match"] is False
    response = compare(service, route, mindy, nobody())
    assert (response.status_code, response.json()) == (400, {"detail": "image2: No face detected"})


@ROUTES
def test_the_metrics_are_those_of_the_networks(service: httpx.Client, route: str, mindy: bytes, jerry: bytes) -> None:
    found = answer(service, route, mindy, jerry)
    spent = 0.0
    for name, (width, height) in (("image1_metrics", (360, 240)), ("image2_metrics", (240, 364))):
        left, top, right, bottom = found[name]["face_coordinates"]
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert 0.8 < found[name]["confidence_score"] <= 1
        # The photos may be processed in parallel.
        spent = max(spent, found[name]["detection_time_ms"])
    for name in ("embedding1_metrics", "embedding2_metrics"):
        assert found[name]["embedding_dimension"] == 128
        assert found[name]["embedding_norm"] == pytest.approx(1, abs=1e-4)
        spent += found[name]["embedding_time_ms"]
    assert 0 < spent < found["total_processing_time_ms"]


@ROUTES
def test_the_performance_test_runs(service: httpx.Client, route: str, mindy: bytes, mindy_again: bytes) -> None:
    """`python performance_test.py`: two PNG files in base64, sent ten times at once."""
    man_a, man_aa = png(mindy), png(mindy_again)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: answer(service, route, man_a, man_aa), range(10)))
    assert {found["match"] for found in answers} == {True}
