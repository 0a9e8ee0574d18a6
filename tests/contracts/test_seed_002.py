"""The clients of the face comparison service (seed 002), against the real one."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.contracts import nobody, png, text, with_bystander

ROUTES = pytest.mark.parametrize("route", ["/compare", "/mediapipe"])
DETECTORS = {"/compare": "mtcnn", "/mediapipe": "mediapipe-full-range"}
SIDES = {"mindy": (360, 240), "jerry": (240, 364)}


def compare(service: httpx.Client, route: str, first: bytes, second: bytes) -> httpx.Response:
    return service.post(route, json={"image1_base64": text(first), "image2_base64": text(second)})


def answer(service: httpx.Client, route: str, first: bytes, second: bytes) -> Any:
    response = compare(service, route, first, second)
    assert response.status_code == 200
    return response.json()


def test_the_root_says_that_the_service_is_well(service: httpx.Client) -> None:
    response = service.get("/")
    assert response.status_code == 200
    assert response.json()["status"] == "healthy"


@ROUTES
def test_two_photos_of_one_person_match(service: httpx.Client, route: str, mindy: bytes, mindy_again: bytes) -> None:
    found = answer(service, route, mindy, mindy_again)
    assert found["match"] is True
    assert 0.65 < found["similarity"] < 0.8
    compared = found["comparison_metrics"]
    assert compared["cosine_similarity"] == found["similarity"]
    assert compared["threshold_used"] == 0.6
    # Of two embeddings of length 1, either measure follows from the other.
    assert compared["euclidean_distance"] ** 2 == pytest.approx(2 - 2 * found["similarity"], abs=1e-4)
    assert found["models"] == {"detector": DETECTORS[route], "embedder": "facenet"}


@ROUTES
def test_photos_of_two_people_do_not_match(service: httpx.Client, route: str, mindy: bytes, jerry: bytes) -> None:
    found = answer(service, route, mindy, jerry)
    assert found["match"] is False
    assert found["similarity"] < 0.2


@ROUTES
def test_every_stage_has_its_metrics(service: httpx.Client, route: str, mindy: bytes, jerry: bytes) -> None:
    found = answer(service, route, mindy, jerry)
    spent = 0.0
    for name, (width, height) in zip(("image1_metrics", "image2_metrics"), SIDES.values(), strict=True):
        metrics = found[name]
        assert metrics["face_detected"] is True
        left, top, right, bottom = metrics["face_coordinates"]
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert 0.8 < metrics["confidence_score"] <= 1
        # Both photos may be looked at side by side.
        spent = max(spent, metrics["detection_time_ms"])
    for name in ("embedding1_metrics", "embedding2_metrics"):
        metrics = found[name]
        assert metrics["embedding_dimension"] == 128
        assert metrics["embedding_norm"] == pytest.approx(1, abs=1e-4)
        stats = metrics["embedding_stats"]
        assert stats["min"] < stats["mean"] < stats["max"]
        # Of a vector of length 1, the mean of the squares is one by its dimension.
        assert stats["std"] ** 2 + stats["mean"] ** 2 == pytest.approx(1 / 128, rel=1e-3)
        spent += metrics["embedding_time_ms"]
    spent += found["comparison_metrics"]["similarity_computation_time_ms"]
    assert 0 < spent < found["total_processing_time_ms"]


@ROUTES
def test_a_data_address_is_base64_too(service: httpx.Client, route: str, mindy: bytes) -> None:
    body = {"image1_base64": f"data:image/jpeg;base64,{text(mindy)}", "image2_base64": text(mindy)}
    found = service.post(route, json=body).json()
    assert found["similarity"] == pytest.approx(1, abs=1e-5)
    assert found["image1_metrics"]["face_coordinates"] == found["image2_metrics"]["face_coordinates"]


@ROUTES
def test_of_two_people_the_prominent_face_counts(service: httpx.Client, route: str, mindy: bytes, jerry: bytes) -> None:
    both = with_bystander(jerry, mindy)
    assert answer(service, route, both, jerry)["match"] is True
    assert answer(service, route, both, mindy)["match"] is False


@ROUTES
def test_a_photo_of_nobody_is_refused_by_name(service: httpx.Client, route: str, mindy: bytes) -> None:
    response = compare(service, route, mindy, nobody())
    assert response.status_code == 400
    assert response.json() == {"detail": "image2: No face detected"}


@ROUTES
def test_what_is_no_photo_is_refused_by_name(service: httpx.Client, route: str, mindy: bytes) -> None:
    response = compare(service, route, b"no photo at all", mindy)
    assert response.status_code == 400
    assert response.json()["detail"].startswith("image1: The image is not a ")
    response = service.post(route, json={"image1_base64": text(mindy), "image2_base64": "base64_encoded_image_string"})
    assert response.status_code == 400
    assert response.json()["detail"].startswith("image2: ")


@pytest.mark.parametrize(
    ("arguments", "url", "requests"), [("", "/mediapipe", 10), ("--url http://localhost:8000/compare", "/compare", 10)]
)
def test_the_performance_test_runs(
    service: httpx.Client, arguments: str, url: str, requests: int, mindy: bytes, mindy_again: bytes
) -> None:
    """`python performance_test.py`: two PNG files in base64, sent many times at once."""
    man_a, man_aa = png(mindy), png(mindy_again)

    def send(_: int) -> tuple[httpx.Response, float]:
        started = time.perf_counter()
        return compare(service, url, man_a, man_aa), time.perf_counter() - started

    with ThreadPoolExecutor(requests) as pool:
        answers = list(pool.map(send, range(requests)))
    assert [response.status_code for response, _ in answers] == [200] * requests
    assert {response.json()["match"] for response, _ in answers} == {True}
    assert statistics.median(seconds for _, seconds in answers) < 30
