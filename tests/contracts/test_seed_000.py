"""The clients of the facematch service (seed 000), against the real one; their addresses lead to a site on loopback."""

from collections.abc import Iterator

import httpx
import pytest

from tests.contracts import nobody, side_by_side, text
from tests.models.site import served


@pytest.fixture(scope="module")
def site(mindy: bytes, mindy_again: bytes, jerry: bytes) -> Iterator[str]:
    """The address of a site with photos."""
    with served() as site:
        site.files |= {"/face1.jpg": mindy, "/face2.jpg": mindy_again, "/both.png": side_by_side(mindy, jerry)}
        yield site.url


def data_url(photo: bytes) -> str:
    return f"data:image/jpeg;base64,{text(photo)}"


def python_client(service: httpx.Client, image1: str, image2: str, threshold: float) -> str:
    """The document's Python, with what it prints."""
    response = service.post("/match", json={"image1": image1, "image2": image2, "threshold": threshold})
    result = response.json()
    if result["success"]:
        if result["match"]:
            return f"MATCH! Similarity: {result['similarity_score']:.3f}"
        return f"NO MATCH. Similarity: {result['similarity_score']:.3f}"
    return f"Error: {result['error']}"


def test_the_python_client_tells_people_apart(
    service: httpx.Client, site: str, mindy: bytes, mindy_again: bytes, jerry: bytes
) -> None:
    face = f"{site}/face1.jpg"
    assert python_client(service, face, data_url(mindy_again), 0.7).startswith("MATCH! Similarity: 0.7")
    for same in (data_url(mindy), text(mindy)):
        assert python_client(service, face, same, 0.7) == "MATCH! Similarity: 1.000"
    assert python_client(service, face, data_url(jerry), 0.7).startswith("NO MATCH. Similarity: -0.")
    for image, problem in (
        (data_url(nobody()), "face detection failed: No face detected"),
        (f"{site}/both.png", "face detection failed: Multiple faces detected (2). Exactly one face is required"),
        (f"{site}/nowhere.jpg", "could not be loaded: The URL returned status 404"),
        ("http://10.0.0.1/face.jpg", "could not be loaded: The URL resolves to a non-public IP address"),
    ):
        assert python_client(service, face, image, 0.7) == f"Error: Image2 {problem}"


def test_the_curl_example_is_answered_with_two_live_faces(service: httpx.Client, site: str) -> None:
    """`curl -X POST http://localhost:8000/match -H "Content-Type: application/json" -d BODY`."""
    body = f"""{{
    "image1": "{site}/face1.jpg",
    "image2": "{site}/face2.jpg",
    "threshold": 0.6
  }}"""
    response = service.post("/match", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 200
    found = response.json()
    assert (found["success"], found["match"], found["threshold"]) == (True, True, 0.6)
    for image in ("image1", "image2"):
        assert found["liveness_results"][image]["is_live"] is True
        assert 0.5 < found["liveness_results"][image]["liveness_score"] <= 1
        assert found["face_detection_results"][image]["face_count"] == 1
        assert 0.9 < found["face_detection_results"][image]["confidence"] <= 1
    for quality in found["recognition_results"]["embedding_quality"].values():
        assert quality["embedding_norm"] == pytest.approx(1, abs=1e-4)
