"""The contract of the FaceNet service (seed 003), over fake stages."""

import math
from dataclasses import replace
from functools import cache
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from api.contracts.faces import error_answer
from api.settings import LimitArgs
from graphs.policy import Policy
from graphs.stages import EmbedderStage, Stages
from imaging.crops import CropSpec
from imaging.refused import Refused
from tests.api.test_match import shape
from tests.fakes import FakeDetector, FakeNetwork, client, crops_of, is_ready, network, photo, serve_log
from tests.fakes import stages as match_stages

PHOTO = b"a photo"
UPLOAD = {"image": ("face.jpg", PHOTO, "image/jpeg")}
CROP = CropSpec(5, "box")
UPLOADS = pytest.mark.parametrize("route", ["/detect-face", "/extract-embedding"])

DETECTED = {"face_detected": True, "num_faces": 1, "confidence": 0.9987, "message": "Found 1 face(s)"}
EXTRACTED = {
    "embedding": [0.123, -0.456],
    "dimensions": 512,
    "confidence": 0.9987,
    "model": "FaceNet (Inception ResNet V1)",
}
COMPARED = {"similarity": 0.95, "cosine_similarity": 0.90, "euclidean_distance": 0.45, "match": True}
"""The responses as the contract documents them."""


def stages(detect: FakeDetector | None = None, embed: FakeNetwork | None = None) -> Stages:
    """The stages of the contract; by default a photo of one face with the embedding (0, 1)."""
    whole = match_stages(detect or FakeDetector(photo()))
    facenet = EmbedderStage(
        network("facenet"), is_ready, (CROP,), 2, "contract", 0.4, embed or FakeNetwork([[0.0, 1.0]])
    )
    return replace(whole, embedders={**whole.embedders, "facenet": facenet})


def upload(route: str, of: Stages | None = None, **form: Any) -> httpx.Response:
    response: httpx.Response = client(of or stages()).post(route, **(form or {"files": UPLOAD}))
    return response


@cache
def anyone() -> TestClient:
    """A client for what no stage is asked."""
    return client(stages())


def compare(first: Any, second: Any) -> httpx.Response:
    body = {"embedding1": first, "embedding2": second}
    response: httpx.Response = anyone().post("/compare-faces", json=body)
    return response


def refusal(response: httpx.Response, status: int = 400) -> str:
    assert response.status_code == status
    assert response.json().keys() == {"error"}
    message = response.json()["error"]
    assert isinstance(message, str)
    return message


def test_a_found_face_has_the_contracts_form() -> None:
    response = upload("/detect-face", stages(FakeDetector(photo(faces=[0.9987]))))
    assert response.status_code == 200
    assert response.json() == DETECTED


def test_of_several_faces_the_surest_gives_the_confidence() -> None:
    found = upload("/detect-face", stages(FakeDetector(photo(faces=[0.75, 0.5, 0.25])))).json()
    assert found == {"face_detected": True, "num_faces": 3, "confidence": 0.75, "message": "Found 3 face(s)"}


def test_a_photo_without_a_face_is_said_in_both_forms() -> None:
    response = upload("/detect-face", stages(FakeDetector(photo(faces=[]))))
    assert response.status_code == 400
    assert response.json() == {
        "face_detected": False,
        "num_faces": 0,
        "confidence": 0.0,
        "message": "No face detected",
        "error": "No face detected",
    }


def test_a_face_is_found_without_any_crop() -> None:
    looks = FakeDetector(photo())
    upload("/detect-face", stages(looks))
    assert looks.calls == [([PHOTO], [])]
    assert [pick.rule for pick in looks.picks] == ["all"]


def test_an_embedding_has_the_contracts_form_and_the_real_networks_name() -> None:
    looks = FakeDetector(photo(faces=[0.9987]))
    response = upload("/extract-embedding", stages(looks))
    assert response.status_code == 200
    found = response.json()
    assert found.pop("network_dimensions") == 2
    assert shape(found) == shape(EXTRACTED)
    assert found == {
        "embedding": [0.0, 1.0] + [0.0] * 510,
        "dimensions": 512,
        "confidence": 0.9987,
        "model": "facenet-model",
    }
    assert looks.calls == [([PHOTO], [CROP])]
    assert [pick.rule for pick in looks.picks] == ["prominent"]


def test_without_padding_an_embedding_has_the_networks_size() -> None:
    bare = client(stages(), policy=Policy(pad_embeddings=False))
    found = bare.post("/extract-embedding", files=UPLOAD).json()
    assert (found["embedding"], found["dimensions"], found["network_dimensions"]) == ([0.0, 1.0], 2, 2)


def test_an_embedding_of_another_network_is_refused() -> None:
    message = "embedding2 is of another network: this one gives 2 numbers, and the numbers after them are not all zero"
    assert refusal(compare([1, 0], [1, 0, 1] + [0] * 509)) == message


def test_the_most_prominent_face_is_embedded_with_its_own_confidence() -> None:
    several = photo(faces=[0.75, 0.5])
    large = replace(several.faces[1], box=(0, 0, 300, 300))
    embed = FakeNetwork([[0.0, 1.0]])
    several = replace(several, faces=(several.faces[0], large))
    found = upload("/extract-embedding", stages(FakeDetector(several), embed)).json()
    assert found["confidence"] == 0.5
    [[crops]] = embed.calls
    assert np.array_equal(crops, [crops_of(1, CROP)])


def test_a_photo_without_a_face_has_no_embedding() -> None:
    nobody = stages(FakeDetector(photo(faces=[])))
    assert refusal(upload("/extract-embedding", nobody)) == "No face detected"


@UPLOADS
def test_a_photo_that_cannot_be_read_is_refused(route: str) -> None:
    damaged = stages(FakeDetector(Refused("INVALID_IMAGE", "The image is damaged")))
    assert refusal(upload(route, damaged)) == "The image is damaged"


@UPLOADS
@pytest.mark.parametrize(
    "form",
    [
        {"files": {"photo": ("face.jpg", PHOTO)}},
        {"data": {"image": "QUJD"}},
        {"data": {"image": ""}},
        {"files": {"image": (None, "QUJD")}},
        {"json": {"image": "QUJD"}},
        {"content": PHOTO, "headers": {"content-type": "image/jpeg"}},
        {"content": b""},
    ],
    ids=["another field", "text", "empty text", "text part", "JSON", "bare photo", "nothing"],
)
def test_a_request_without_a_file_is_refused(route: str, form: Any) -> None:
    assert refusal(upload(route, **form)) == "No image file provided"


@UPLOADS
@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=x"])
def test_a_form_that_is_none_is_a_400(route: str, kind: str) -> None:
    assert refusal(upload(route, content=b"no form", headers={"content-type": kind}))


@UPLOADS
def test_a_file_that_is_too_large_never_reaches_a_stage(route: str) -> None:
    looks = FakeDetector(photo())
    response = client(stages(looks), LimitArgs(max_image_size=6)).post(route, files=UPLOAD)
    assert refusal(response) == "The image has more than the 6 bytes that are accepted"
    assert looks.calls == []


def test_a_body_that_is_too_large_is_a_413() -> None:
    limits = LimitArgs(max_image_size=3)
    response = client(stages(), limits).post("/detect-face", files={"image": bytes(2 * limits.max_body)})
    assert "bytes that are accepted" in refusal(response, 413)


@pytest.mark.parametrize("fault", [RuntimeError("a secret"), [[float("nan"), 1.0]]])
def test_a_fault_is_a_500_that_hides_it(fault: Any) -> None:
    with serve_log():
        response = client(stages(embed=FakeNetwork(fault))).post(
            "/extract-embedding", files=UPLOAD, headers={"X-Request-ID": "caller-17"}
        )
    assert refusal(response, 500) == "Internal error; quote request id caller-17"


def test_a_stage_that_is_not_there_is_a_503() -> None:
    assert "facenet" in refusal(upload("/extract-embedding", match_stages()), 503)
    away = FakeNetwork(Refused("UNAVAILABLE", "The stage facenet is not available"))
    assert refusal(upload("/extract-embedding", stages(embed=away)), 503) == "The stage facenet is not available"


def test_two_embeddings_are_compared_in_the_contracts_form() -> None:
    response = compare([1.0, 0.0], [0.9, math.sqrt(1 - 0.81)])
    assert response.status_code == 200
    found = response.json()
    assert shape(found) == shape(COMPARED)
    assert found.pop("match") is True
    assert found == pytest.approx({"similarity": 0.95, "cosine_similarity": 0.9, "euclidean_distance": 0.447}, abs=5e-4)


@pytest.mark.parametrize(
    ("second", "match"),
    [
        ([0.41, math.sqrt(1 - 0.41**2)], True),
        ([0.39, math.sqrt(1 - 0.39**2)], False),
        ([0.0, 2.0], False),
        ([50.0, 1.0], True),
        ([0.1, 0.5], False),
        ([0.2, 0.5], True),
    ],
    ids=["cosine above", "cosine below", "far and unlike", "far and alike", "at 1.03", "at 0.94 and unlike"],
)
def test_a_near_or_an_alike_embedding_is_a_match(second: list[float], match: bool) -> None:
    assert compare([1.0, 0.0], second).json()["match"] is match


def test_the_distance_of_one_itself_is_no_match() -> None:
    found = compare([0.5, 0.0], [-0.5, 0.0]).json()
    assert (found["euclidean_distance"], found["cosine_similarity"], found["match"]) == (1.0, -1.0, False)


SIZES = st.integers(2, 6).flatmap(
    lambda size: st.tuples(
        *[st.lists(st.floats(-100, 100, width=32), min_size=size, max_size=size).filter(any) for _ in range(2)]
    )
)


@given(SIZES)
def test_the_rule_holds_for_every_pair(pair: tuple[list[float], list[float]]) -> None:
    found = compare(*pair).json()
    assert found["similarity"] == pytest.approx((found["cosine_similarity"] + 1) / 2)
    assert 0 <= found["similarity"] <= 1
    assert found["euclidean_distance"] == pytest.approx(math.dist(*pair), rel=1e-9)
    assert found["match"] is (found["euclidean_distance"] < 1.0 or found["cosine_similarity"] > 0.4)
    assert compare(pair[1], pair[0]).json() == found


@pytest.mark.parametrize("bad", ["NaN", "-Infinity", "1e999", "1e308", "true", '"1"', "null", "[1]"])
def test_a_number_that_is_none_is_refused(bad: str) -> None:
    body = f'{{"embedding1": [1, {bad}], "embedding2": [1, 2]}}'
    response = client(stages()).post("/compare-faces", content=body, headers={"content-type": "application/json"})
    assert refusal(response).startswith("embedding1")


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        ([1, 2], [0, 0], "embedding2: Input should have a number other than zero"),
        ([], [1], "embedding1: List should have at least 1 item"),
        ([1], "[1]", "embedding2: Input should be a valid list"),
        ([1] * 5000, [1], "embedding1: List should have at most 4096 items"),
    ],
)
def test_embeddings_of_no_use_are_refused_in_a_clear_sentence(first: Any, second: Any, sentence: str) -> None:
    assert refusal(compare(first, second)).startswith(sentence)


def test_a_missing_embedding_is_refused() -> None:
    response = client(stages()).post("/compare-faces", json={"embedding1": [1]})
    assert refusal(response) == "embedding2: Field required"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"[" * 100_000])
def test_a_body_that_is_no_request_is_refused(body: bytes) -> None:
    response = client(stages()).post("/compare-faces", content=body, headers={"content-type": "application/json"})
    assert refusal(response)


@pytest.mark.parametrize("route", ["/detect-face", "/extract-embedding", "/compare-faces"])
def test_only_post_is_answered(route: str) -> None:
    assert refusal(client(stages()).get(route), 405) == "Method Not Allowed"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("INVALID_REQUEST", 400),
        ("LOW_QUALITY", 400),
        ("BODY_TOO_LARGE", 413),
        ("INTERNAL_ERROR", 500),
        ("TIMEOUT", 503),
    ],
)
def test_every_code_has_its_status(code: str, status: int) -> None:
    assert error_answer(Refused(code, "Because"), "id") == (status, {"error": "Because"})
