"""The service end to end: `facegraph serve` on a Ray cluster of its own, real photos, real networks."""

import base64
import io
from typing import Any

import httpx
import numpy as np
import PIL.Image
import pytest

from models.catalogue import card
from tests.conftest import shared_faces


def pixels(data: bytes) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    return np.asarray(PIL.Image.open(io.BytesIO(data)).convert("RGB"))


def encoded(array: "np.ndarray[Any, Any]", exif: PIL.Image.Exif | bytes = b"") -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(array.astype(np.uint8)).save(file, "JPEG", quality=95, exif=exif)
    return file.getvalue()


def match(service: httpx.Client, first: bytes, second: bytes, **more: float) -> httpx.Response:
    body = {"image1": base64.b64encode(first).decode(), "image2": base64.b64encode(second).decode(), **more}
    return service.post("/match", json=body)


def refusal(response: httpx.Response) -> str:
    assert response.status_code == 400
    body = response.json()
    assert body == {"success": False, "error": body["error"]}
    return str(body["error"])


def test_two_photos_of_one_person_match(service: httpx.Client, mindy: bytes, mindy_again: bytes) -> None:
    answer = match(service, mindy, mindy_again).json()
    assert answer["success"] is True
    assert answer["match"] is True
    assert answer["threshold"] == 0.6
    assert answer["similarity_score"] > 0.7
    for image in ("image1", "image2"):
        assert answer["liveness_results"][image]["is_live"] is True
        assert answer["face_detection_results"][image]["face_count"] == 1
        assert answer["face_detection_results"][image]["confidence"] > 0.9
    assert answer["models"] == {"detector": "mtcnn", "liveness": "fr-liveness", "embedder": "mobilefacenet"}


def test_photos_of_two_people_do_not_match(service: httpx.Client, mindy: bytes, jerry: bytes) -> None:
    answer = match(service, mindy, jerry, threshold=card("mobilefacenet").threshold("cosine").value).json()
    assert answer["match"] is False
    assert answer["similarity_score"] < 0.3


def test_a_photo_matches_itself_turned_by_exif(service: httpx.Client, mindy: bytes) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    # Stored lying on its side; orientation 6 says: turn it clockwise to see it.
    turned = encoded(np.rot90(pixels(mindy)), exif)
    answer = match(service, mindy, turned).json()
    assert answer["similarity_score"] > 0.95


def test_a_photo_of_two_people_is_refused(service: httpx.Client, mindy: bytes, jerry: bytes) -> None:
    height = min(pixels(mindy).shape[0], pixels(jerry).shape[0])
    both = encoded(np.hstack([pixels(mindy)[:height], pixels(jerry)[:height]]))
    assert refusal(match(service, mindy, both)) == (
        "Image2 face detection failed: Multiple faces detected (2). Exactly one face is required"
    )


def test_a_photo_of_nobody_is_refused(service: httpx.Client, mindy: bytes) -> None:
    gradient = np.tile(np.linspace(40, 220, 320)[None, :, None], (240, 1, 3))
    assert refusal(match(service, encoded(gradient), mindy)) == "Image1 face detection failed: No face detected"


def test_a_small_photo_is_refused(service: httpx.Client, mindy: bytes) -> None:
    small = encoded(np.asarray(PIL.Image.fromarray(pixels(mindy)).resize((100, 80))))
    assert refusal(match(service, small, mindy)) == (
        "Image1 quality issue: Image too small: 100x80. Minimum size: 224x224"
    )


def test_a_dark_photo_is_refused(service: httpx.Client, mindy: bytes) -> None:
    error = refusal(match(service, mindy, encoded(pixels(mindy) * 0.08)))
    assert error.startswith("Image2 quality issue: Image too dark: brightness ")


def test_a_broken_file_is_refused(service: httpx.Client, mindy: bytes) -> None:
    broken = mindy[: len(mindy) // 2]
    assert refusal(match(service, broken, mindy)) == (
        "Image1 could not be loaded: The image is damaged and cannot be decoded"
    )


def test_an_address_inside_the_network_is_refused(service: httpx.Client, mindy: bytes) -> None:
    body = {"image1": "http://169.254.169.254/face.jpg", "image2": base64.b64encode(mindy).decode()}
    assert refusal(service.post("/match", json=body)) == (
        "Image1 could not be loaded: The address leads into a network that is not public"
    )


def test_a_spoof_is_told_from_a_live_face(service: httpx.Client) -> None:
    folder = shared_faces("liveness")
    answer = match(service, (folder / "live_1.jpg").read_bytes(), (folder / "spoof_1.jpg").read_bytes()).json()
    assert answer["liveness_results"]["image1"]["liveness_score"] > 0.5
    assert answer["liveness_results"]["image2"]["liveness_score"] < 0.3
    assert answer["liveness_results"]["image2"]["is_live"] is False


def test_the_health_names_every_network(service: httpx.Client) -> None:
    answer = service.get("/health").json()
    assert answer["models"] == dict.fromkeys(["mtcnn", "mediapipe", "retinaface", "crmnet", "arcface", "facenet"], True)
    assert {role: network["model"] for role, network in answer["networks"].items()} == {
        "mtcnn": "mtcnn",
        "mediapipe": "mediapipe-full-range",
        "retinaface": "centerface",
        "crmnet": "fr-liveness",
        "arcface": "mobilefacenet",
        "facenet": "facenet",
    }


@pytest.mark.parametrize("unfit", ["no id!", "x" * 65])
def test_an_unfit_request_id_makes_way_for_one_that_header_and_body_share(service: httpx.Client, unfit: str) -> None:
    answer = service.get("/nowhere", headers={"X-Request-ID": unfit})
    [made] = answer.headers.get_list("x-request-id")
    assert made != unfit
    assert answer.json()["request_id"] == made


def test_every_answer_has_one_request_id(service: httpx.Client) -> None:
    answer = service.get("/nowhere", headers={"X-Request-ID": "my-own-id"})
    assert answer.headers.get_list("x-request-id") == ["my-own-id"]
    assert answer.json()["request_id"] == "my-own-id"
