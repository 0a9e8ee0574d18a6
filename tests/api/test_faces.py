"""The contract of the FaceNet service, over fake stages."""

from typing import Any

import httpx
import pytest

from graphs.stages import Stages
from imaging.crops import CropSpec
from imaging.faces import Photo
from tests.fakes import FakeDetector, FakeNetwork, client, embedder, photo, with_stages
from tests.fakes import stages as match_stages

PHOTO = b"a photo"
CROP = CropSpec(5, "box")


def stages(*found: Photo) -> tuple[Stages, FakeDetector]:
    """The stages of the contract and their detector. By default, the detector finds one face. Embeddings are (0, 1)."""
    looks = FakeDetector(*(found or [photo()]))
    facenet = embedder(FakeNetwork([[0.0, 1.0]]), "facenet", "facenet", crop=CROP)
    return with_stages(match_stages(looks), facenet), looks


def upload(route: str, of: Stages) -> httpx.Response:
    return client(of).post(route, files={"image": ("face.jpg", PHOTO, "image/jpeg")})


def compare(first: Any, second: Any) -> httpx.Response:
    body = {"embedding1": first, "embedding2": second}
    return client(stages()[0]).post("/compare-faces", json=body)


def refusal(response: httpx.Response) -> str:
    assert response.status_code == 400
    assert response.json().keys() == {"error"}
    return str(response.json()["error"])


def test_a_found_face_has_the_contracts_form_and_needs_no_crop() -> None:
    of, looks = stages(photo(faces=[0.75, 0.5, 0.25]))
    response = upload("/detect-face", of)
    detected = {"face_detected": True, "num_faces": 3, "confidence": 0.75, "message": "Found 3 face(s)"}
    assert (response.status_code, response.json()) == (200, detected)
    assert looks.calls == [([PHOTO], [])]
    assert [pick.rule for pick in looks.picks] == ["all"]


def test_a_photo_without_a_face_is_answered_in_both_forms() -> None:
    of, _ = stages(photo(faces=[]))
    response = upload("/detect-face", of)
    none = {"face_detected": False, "num_faces": 0, "confidence": 0.0}
    told = dict.fromkeys(("message", "error"), "No face detected")
    assert (response.status_code, response.json()) == (400, none | told)
    assert refusal(upload("/extract-embedding", of)) == "No face detected"


def test_an_embedding_has_the_contracts_form_and_the_name_of_the_real_network() -> None:
    of, looks = stages(photo(faces=[0.9987]))
    response = upload("/extract-embedding", of)
    assert response.status_code == 200
    assert response.json() == {
        "embedding": [0.0, 1.0] + [0.0] * 510,
        "dimensions": 512,
        "network_dimensions": 2,
        "confidence": 0.9987,
        "model": "facenet-model",
    }
    assert looks.calls == [([PHOTO], [CROP])]
    assert [pick.rule for pick in looks.picks] == ["prominent"]


@pytest.mark.parametrize("route", ["/detect-face", "/extract-embedding"])
@pytest.mark.parametrize(
    "sent",
    [
        {"files": {"photo": ("face.jpg", PHOTO)}},
        {"data": {"image": "QUJD"}},
        {"json": {"image": "QUJD"}},
        {"content": PHOTO, "headers": {"content-type": "image/jpeg"}},
    ],
    ids=["another field", "text", "JSON", "bare photo"],
)
def test_a_request_without_a_file_is_refused(route: str, sent: dict[str, Any]) -> None:
    assert refusal(client(stages()[0]).post(route, **sent)) == "No image file provided"


def test_a_comparison_has_the_contracts_form() -> None:
    response = compare([3, 0], [1.5, 2])
    assert response.status_code == 200
    assert response.json() == {"similarity": 0.8, "cosine_similarity": 0.6, "euclidean_distance": 2.5, "match": True}


@pytest.mark.parametrize(
    ("first", "second", "match"),
    [
        ([1.0, 0.0], [41.0, 91.2], True),
        ([1.0, 0.0], [39.0, 92.1], False),
        ([1.0, 0.0], [0.2, 0.5], True),
        ([0.5, 0.0], [-0.5, 0.0], False),
    ],
    ids=["cosine 0.41", "cosine 0.39", "at 0.94 and unlike", "at 1"],
)
def test_a_near_or_a_similar_embedding_is_a_match(first: list[float], second: list[float], match: bool) -> None:
    assert compare(first, second).json()["match"] is match


def test_an_embedding_of_another_network_is_named() -> None:
    told = "embedding2 comes from a different model: this model's embeddings have 2 numbers"
    assert refusal(compare([1, 0], [1, 0, 1] + [0] * 509)).startswith(told)
