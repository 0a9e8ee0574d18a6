"""The clients of the FaceNet service (seed 003), against the real one."""

import math
from typing import Any

import httpx
import pytest

from models.catalogue import card
from tests.contracts import nobody, side_by_side, with_bystander


def upload(service: httpx.Client, route: str, photo: bytes) -> httpx.Response:
    """`curl -F image=@face.jpg`."""
    return service.post(route, files={"image": ("face.jpg", photo, "image/jpeg")})


def embedding(service: httpx.Client, photo: bytes) -> list[float]:
    response = upload(service, "/extract-embedding", photo)
    assert response.status_code == 200
    numbers: list[float] = response.json()["embedding"]
    return numbers


def compare(service: httpx.Client, first: list[float], second: list[float]) -> Any:
    response = service.post("/compare-faces", json={"embedding1": first, "embedding2": second})
    assert response.status_code == 200
    return response.json()


def test_faces_are_found_and_counted(service: httpx.Client, mindy: bytes, jerry: bytes) -> None:
    found = upload(service, "/detect-face", mindy).json()
    assert 0.99 < found.pop("confidence") <= 1
    assert found == {"face_detected": True, "num_faces": 1, "message": "Found 1 face(s)"}
    assert upload(service, "/detect-face", side_by_side(mindy, jerry)).json()["num_faces"] == 2
    assert upload(service, "/detect-face", nobody()).status_code == 400


def test_embeddings_tell_people_apart(service: httpx.Client, mindy: bytes, mindy_again: bytes, jerry: bytes) -> None:
    first, again, other = (embedding(service, photo) for photo in (mindy, mindy_again, jerry))
    assert len(first) == 512
    assert math.hypot(*first) == pytest.approx(1, abs=1e-4)
    same, different = compare(service, first, again), compare(service, first, other)
    assert (same["match"], different["match"]) == (True, False)
    assert same["cosine_similarity"] > card("facenet").threshold("cosine").value > 0.2 > different["cosine_similarity"]
    assert same["euclidean_distance"] < 1.0 < different["euclidean_distance"]
    prominent = embedding(service, with_bystander(jerry, mindy))
    assert compare(service, prominent, other)["cosine_similarity"] > 0.95
