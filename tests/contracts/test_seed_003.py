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


def test_the_health_is_told(service: httpx.Client) -> None:
    response = service.get("/health")
    assert response.status_code == 200
    found = response.json()
    assert found["status"] == "healthy"
    assert (found["embedding_dimensions"], found["network_dimensions"]) == (512, 128)
    assert found["networks"]["facenet"]["model"] == "facenet"
    assert found["networks"]["facenet"]["embedding_dimensions"] == 128


def test_a_face_is_found(service: httpx.Client, mindy: bytes) -> None:
    response = upload(service, "/detect-face", mindy)
    assert response.status_code == 200
    found = response.json()
    assert 0.99 < found.pop("confidence") <= 1
    assert found == {"face_detected": True, "num_faces": 1, "message": "Found 1 face(s)"}


def test_two_faces_are_counted(service: httpx.Client, mindy: bytes, jerry: bytes) -> None:
    found = upload(service, "/detect-face", side_by_side(mindy, jerry)).json()
    assert (found["num_faces"], found["message"]) == (2, "Found 2 face(s)")


def test_a_photo_of_nobody_has_no_face(service: httpx.Client) -> None:
    response = upload(service, "/detect-face", nobody())
    assert response.status_code == 400
    assert response.json() == {
        "face_detected": False,
        "num_faces": 0,
        "confidence": 0.0,
        "message": "No face detected",
        "error": "No face detected",
    }
    response = upload(service, "/extract-embedding", nobody())
    assert response.status_code == 400
    assert response.json() == {"error": "No face detected"}


def test_an_embedding_is_extracted(service: httpx.Client, mindy: bytes) -> None:
    response = upload(service, "/extract-embedding", mindy)
    assert response.status_code == 200
    found = response.json()
    numbers = found.pop("embedding")
    assert len(numbers) == found.pop("dimensions") == 512
    assert found.pop("network_dimensions") == 128
    assert not any(numbers[128:])
    assert math.hypot(*numbers) == pytest.approx(1, abs=1e-4)
    assert 0.99 < found.pop("confidence") <= 1
    assert found == {"model": "facenet"}


def test_of_two_people_the_prominent_face_is_embedded(service: httpx.Client, mindy: bytes, jerry: bytes) -> None:
    both = embedding(service, with_bystander(jerry, mindy))
    assert compare(service, both, embedding(service, jerry))["cosine_similarity"] > 0.95


def test_photos_of_one_person_match(service: httpx.Client, mindy: bytes, mindy_again: bytes) -> None:
    found = compare(service, embedding(service, mindy), embedding(service, mindy_again))
    assert found["match"] is True
    assert found["cosine_similarity"] > card("facenet").threshold("cosine").value
    assert found["similarity"] == pytest.approx((found["cosine_similarity"] + 1) / 2)
    assert found["euclidean_distance"] < 1.0


def test_photos_of_two_people_do_not_match(service: httpx.Client, mindy: bytes, jerry: bytes) -> None:
    found = compare(service, embedding(service, mindy), embedding(service, jerry))
    assert found["match"] is False
    assert found["cosine_similarity"] < 0.2
    assert found["euclidean_distance"] > 1.0


def test_an_embedding_compares_alike_with_and_without_its_padding(
    service: httpx.Client, mindy: bytes, jerry: bytes
) -> None:
    first, second = embedding(service, mindy), embedding(service, jerry)
    whole = compare(service, first, second)
    assert compare(service, first[:128], second) == compare(service, first[:128], second[:128]) == whole


def test_an_embedding_of_another_network_is_a_400(service: httpx.Client, mindy: bytes) -> None:
    body = {"embedding1": embedding(service, mindy), "embedding2": [0.04] * 512}
    response = service.post("/compare-faces", json=body)
    assert response.status_code == 400
    assert response.json()["error"].startswith("embedding2 is of another network")


@pytest.mark.parametrize("route", ["/detect-face", "/extract-embedding"])
def test_an_upload_that_is_none_is_a_400(service: httpx.Client, route: str) -> None:
    for response in (
        service.post(route),
        service.post(route, files={"photo": b"another field"}),
        service.post(route, data={"image": "text"}),
    ):
        assert response.status_code == 400
        assert response.json() == {"error": "No image file provided"}
    response = upload(service, route, b"no photo at all")
    assert response.status_code == 400
    assert response.json()["error"].startswith("The image is not a ")


@pytest.mark.parametrize(
    "body",
    [
        '{"embedding1": [0.1, 0.2]}',
        '{"embedding1": [0.1, 0.2], "embedding2": [0.1]}',
        '{"embedding1": [0.1, NaN], "embedding2": [0.1, 0.2]}',
        '{"embedding1": [0, 0], "embedding2": [0.1, 0.2]}',
        '{"embedding1": [1e308, 1e308], "embedding2": [0.1, 0.2]}',
        "[0.123, -0.456, ...]",
    ],
)
def test_embeddings_of_no_use_are_a_400(service: httpx.Client, body: str) -> None:
    response = service.post("/compare-faces", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert response.json().keys() == {"error"}
