"""The contract of the DeepFace service (seed 004), over fake stages."""

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata
from typing import Any

import httpx
import numpy as np
import pytest

from api.contracts import deepface
from api.contracts.deepface import error_answer
from api.settings import LimitArgs
from graphs.policy import Policy
from graphs.stages import Ready, Stages
from imaging.crops import CropSpec
from imaging.faces import Detection
from imaging.geometry import Box
from imaging.pick import Pick
from imaging.refused import Refused
from tests.api.test_match import shape
from tests.fakes import (
    EMBEDDER_CROP,
    FakeAddresses,
    FakeDetector,
    FakeNetwork,
    client,
    crops_of,
    is_not_ready,
    is_ready,
    network,
    photo,
    serve_log,
)
from tests.fakes import stages as match_stages

PHOTO = b"a photo"
TEXT = base64.b64encode(PHOTO).decode()
ADDRESS = "https://example.com/face.jpg"

HEALTH = {
    "status": "healthy",
    "model": "ArcFace",
    "embedding_dimensions": 512,
    "model_loaded": True,
    "version": "1.0.0",
}
EXTRACTED = {
    "embedding": [0.123, -0.456],
    "face_count": 1,
    "face_confidence": 0.99,
    "facial_area": {"x": 100, "y": 50, "w": 200, "h": 250},
    "processing_time_ms": 245.5,
}
WARMED = {"status": "loaded", "model": "ArcFace", "load_time_seconds": 15.2}
"""The responses as the contract documents them."""


class WholeDetector(FakeDetector):
    """Finds nobody in a photo of 320x240, so that the whole photo counts where that was asked."""

    async def __call__(self, photos: Sequence[bytes], crops: Sequence[CropSpec], pick: Pick) -> Detection:
        seen = photo(320, 240, faces=[0.0] if pick.whole_photo else [])
        whole = tuple(replace(face, box=(0, 0, 320, 240)) for face in seen.faces)
        cut = {spec: np.stack([crops_of(0, spec)]) for spec in crops if whole}
        return Detection((replace(seen, faces=whole, found=0),), cut)


def stages(detect: FakeDetector | None = None, embed: FakeNetwork | None = None) -> Stages:
    """The stages of the contract; by default a photo of one face with the embedding (0, 1)."""
    return match_stages(detect or FakeDetector(photo()), embed=embed or FakeNetwork([[0.0, 1.0]]))


def extract(of: Stages | None = None, addresses: FakeAddresses | None = None, **fields: Any) -> httpx.Response:
    asked = client(of or stages(), addresses=addresses)
    response: httpx.Response = asked.post("/api/v1/extract-embedding", json={"image": TEXT, **fields})
    return response


def refusal(response: httpx.Response, status: int = 400) -> tuple[str, str]:
    """The code and the message of an error."""
    assert response.status_code == status
    assert response.json().keys() == {"detail"}
    detail = response.json()["detail"]
    assert shape(detail) == {"code": "str", "message": "str"}
    return detail["code"], detail["message"]


def test_an_embedding_has_the_contracts_form_and_the_networks_beside_it() -> None:
    looks = FakeDetector(photo(faces=[0.75]))
    response = extract(stages(looks))
    assert response.status_code == 200
    found = response.json()
    assert (found.pop("detector"), found.pop("model")) == ("detector-model", "embedder-model")
    assert shape(found) == shape(EXTRACTED)
    assert 0 < found.pop("processing_time_ms") < 30_000
    assert found == {
        "embedding": [0.0, 1.0] + [0.0] * 510,
        "face_count": 1,
        "face_confidence": 0.75,
        "facial_area": {"x": 10, "y": 10, "w": 100, "h": 100},
    }
    assert looks.calls == [([PHOTO], [EMBEDDER_CROP])]
    assert looks.picks == [Pick("one", 0.33)]


def test_the_detector_is_the_contracts_own_where_it_is_there() -> None:
    whole = stages()
    retinaface = replace(whole.detectors["mtcnn"], network=network("retinaface"))
    both = replace(whole, detectors={**whole.detectors, "retinaface": retinaface})
    assert extract(both).json()["detector"] == "retinaface-model"


def test_every_field_but_the_image_has_the_contracts_default() -> None:
    asked = {"image_type": "base64", "enforce_detection": True, "align": True}
    fields = deepface.ExtractRequest.model_fields
    assert {name: fields[name].default for name in asked} == asked


@pytest.mark.parametrize("field", [TEXT, f"data:image/jpeg;base64,{TEXT}"])
def test_base64_may_have_a_prefix(field: str) -> None:
    looks = FakeDetector(photo())
    extract(stages(looks), image=field, image_type="base64")
    assert looks.calls[0][0] == [PHOTO]


@pytest.mark.parametrize("address", [ADDRESS, "http://example.com/face.jpg", "HTTPS://example.com"])
def test_an_address_is_fetched(address: str) -> None:
    looks, addresses = FakeDetector(photo()), FakeAddresses({address: PHOTO})
    response = extract(stages(looks), addresses, image=address, image_type="url")
    assert response.status_code == 200
    assert addresses.calls == [address]
    assert looks.calls[0][0] == [PHOTO]


@pytest.mark.parametrize("code", ["DOWNLOAD_FAILED", "URL_NOT_ALLOWED"])
def test_an_address_that_cannot_or_may_not_be_fetched_is_a_failed_download(code: str) -> None:
    addresses = FakeAddresses({ADDRESS: Refused(code, "Because")})
    assert refusal(extract(None, addresses, image=ADDRESS, image_type="url")) == ("DOWNLOAD_FAILED", "Because")


@pytest.mark.parametrize("field", [TEXT, "file:///etc/passwd", "ftp://example.com", "//example.com", " https://a.b"])
def test_what_is_no_address_cannot_be_fetched(field: str) -> None:
    found = refusal(extract(image=field, image_type="url"))
    assert found == ("DOWNLOAD_FAILED", "The image is not an http or https address")


@pytest.mark.parametrize("fields", [{}, {"image_type": "base64"}])
def test_an_address_sent_as_base64_is_not_fetched(fields: Any) -> None:
    addresses = FakeAddresses({ADDRESS: PHOTO})
    assert refusal(extract(None, addresses, image=ADDRESS, **fields))[0] == "INVALID_IMAGE"
    assert addresses.calls == []


@pytest.mark.parametrize("field", ["no base64!", "QUJDR", "Grüße"])
def test_what_is_not_base64_is_an_invalid_image(field: str) -> None:
    assert refusal(extract(image=field))[0] == "INVALID_IMAGE"


def test_a_damaged_photo_is_an_invalid_image() -> None:
    damaged = FakeDetector(Refused("INVALID_IMAGE", "The image is damaged"))
    assert refusal(extract(stages(damaged))) == ("INVALID_IMAGE", "The image is damaged")
    assert refusal(extract(stages(damaged), enforce_detection=False))[0] == "INVALID_IMAGE"


def test_a_photo_that_is_too_large_never_reaches_a_stage() -> None:
    looks = FakeDetector(photo())
    response = client(stages(looks), LimitArgs(max_image_size=3)).post(
        "/api/v1/extract-embedding", json={"image": TEXT}
    )
    code, message = refusal(response)
    assert code == "INVALID_IMAGE"
    assert "more than the 3 bytes" in message
    assert looks.calls == []


@pytest.mark.parametrize("fields", [{}, {"enforce_detection": True}])
def test_exactly_one_face_is_enforced(fields: Any) -> None:
    assert refusal(extract(stages(WholeDetector()), **fields)) == ("NO_FACE_DETECTED", "No face detected")
    code, message = refusal(extract(stages(FakeDetector(photo(faces=[0.9, 0.8]))), **fields))
    assert code == "MULTIPLE_FACES_DETECTED"
    assert message == "Multiple faces detected (2). Exactly one face is required"


def test_without_enforcement_the_most_prominent_face_counts() -> None:
    several = photo(faces=[0.75, 0.5, 0.25])
    middle = replace(several.faces[1], box=(100, 100, 400, 400))
    several = replace(several, faces=(several.faces[0], middle, several.faces[2]))
    embed = FakeNetwork([[0.0, 1.0]])
    found = extract(stages(FakeDetector(several), embed), enforce_detection=False).json()
    assert (found["face_count"], found["face_confidence"]) == (1, 0.5)
    assert found["facial_area"] == {"x": 100, "y": 100, "w": 300, "h": 300}
    [[crops]] = embed.calls
    assert np.array_equal(crops, [crops_of(1, EMBEDDER_CROP)])


def test_without_enforcement_a_photo_of_nobody_is_embedded_whole() -> None:
    response = extract(stages(WholeDetector()), enforce_detection=False)
    assert response.status_code == 200
    found = response.json()
    assert (found["face_count"], found["face_confidence"]) == (0, 0.0)
    assert found["facial_area"] == {"x": 0, "y": 0, "w": 320, "h": 240}
    assert found["embedding"][:2] == [0.0, 1.0]


@pytest.mark.parametrize(
    ("box", "area"),
    [
        ((10.4, 20.6, 99.6, 110.2), (10, 21, 90, 89)),
        ((-20, -30, 700, 500), (0, 0, 640, 480)),
        ((600, 400, 700.5, 500), (600, 400, 40, 80)),
        ((-50, -50, -10, -10), (0, 0, 0, 0)),
        ((700, 500, 800, 600), (640, 480, 0, 0)),
    ],
)
def test_the_area_is_in_whole_pixels_inside_the_photo(box: Box, area: tuple[int, int, int, int]) -> None:
    seen = photo(640, 480)
    seen = replace(seen, faces=(replace(seen.faces[0], box=box),))
    found = extract(stages(FakeDetector(seen))).json()["facial_area"]
    assert found == dict(zip("xywh", area, strict=True))
    assert all(type(number) is int for number in found.values())


@pytest.mark.parametrize(("align", "fit"), [(True, "aligned"), (False, "box")])
def test_a_face_is_turned_upright_unless_told_otherwise(align: bool, fit: Any) -> None:
    looks, embed = FakeDetector(photo()), FakeNetwork([[0.0, 1.0]])
    extract(stages(looks, embed), align=align)
    wanted = CropSpec(EMBEDDER_CROP.size, fit)
    assert looks.calls[0][1] == [wanted]
    assert np.array_equal(embed.calls[0][0], [crops_of(0, wanted)])


def test_an_embedder_of_boxes_has_nothing_to_turn() -> None:
    whole, own = stages(looks := FakeDetector(photo())), CropSpec(5, "square", 1.25)
    arcface = replace(whole.embedders["arcface"], crops=(own, EMBEDDER_CROP))
    extract(replace(whole, embedders={"arcface": arcface}), align=False)
    assert looks.calls[0][1] == [own, CropSpec(EMBEDDER_CROP.size, "box")]


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"image": None}, "image"),
        ({"image": ""}, "image"),
        ({"image": 5}, "image"),
        ({"image_type": "file"}, "image_type"),
        ({"image_type": None}, "image_type"),
        ({"enforce_detection": "perhaps"}, "enforce_detection"),
        ({"align": 2}, "align"),
    ],
)
def test_a_field_of_a_wrong_type_is_refused_by_name(fields: Any, place: str) -> None:
    code, message = refusal(extract(**fields))
    assert code == "INVALID_REQUEST"
    assert message.startswith(f"{place}: ")


def with_ready(detector: Ready, embedder: Ready) -> Stages:
    whole = stages()
    return replace(
        whole,
        detectors={"mtcnn": replace(whole.detectors["mtcnn"], ready=detector)},
        embedders={"arcface": replace(whole.embedders["arcface"], ready=embedder)},
    )


def test_the_health_has_the_contracts_form() -> None:
    response = client(stages()).get("/api/v1/health")
    assert response.status_code == 200
    found = response.json()
    assert found.pop("network_dimensions") == 2
    assert shape(found) == shape(HEALTH)
    assert found == {
        "status": "healthy",
        "model": "embedder-model",
        "embedding_dimensions": 512,
        "model_loaded": True,
        "version": metadata.version("facegraph"),
    }


NOT_READY = pytest.mark.parametrize(
    ("detector", "embedder"), [(is_not_ready, is_ready), (is_ready, is_not_ready), (is_not_ready, is_not_ready)]
)


@NOT_READY
def test_a_network_that_does_not_answer_is_unhealthy(detector: Ready, embedder: Ready) -> None:
    response = client(with_ready(detector, embedder)).get("/api/v1/health")
    assert response.status_code == 503
    assert response.json().keys() > HEALTH.keys()
    assert (response.json()["status"], response.json()["model_loaded"]) == ("unhealthy", False)


def test_a_warm_service_says_so_in_the_contracts_form() -> None:
    response = client(stages()).post("/api/v1/warm-up")
    assert response.status_code == 200
    found = response.json()
    assert shape(found) == shape(WARMED)
    assert (found["status"], found["model"]) == ("loaded", "embedder-model")
    assert 0 < found["load_time_seconds"] < 30


@NOT_READY
def test_a_cold_service_is_a_503(detector: Ready, embedder: Ready) -> None:
    response = client(with_ready(detector, embedder)).post("/api/v1/warm-up")
    assert refusal(response, 503) == ("UNAVAILABLE", "The model is not loaded yet; try again shortly")


def test_without_padding_the_contract_has_the_networks_size() -> None:
    bare = client(stages(), policy=Policy(pad_embeddings=False))
    assert bare.post("/api/v1/extract-embedding", json={"image": TEXT}).json()["embedding"] == [0.0, 1.0]
    for path in ("health", "model-info"):
        found = bare.get(f"/api/v1/{path}").json()
        assert (found["embedding_dimensions"], found["network_dimensions"]) == (2, 2)


def test_the_model_info_says_what_is_behind_the_contract() -> None:
    assert client(stages()).get("/api/v1/model-info").json() == {
        "model": "embedder-model",
        "title": "The embedder",
        "licence": "The embedder's licence",
        "embedding_dimensions": 512,
        "network_dimensions": 2,
        "embedding_contract": "contract",
        "cosine_threshold": 0.4,
        "detector": "detector-model",
        "distance_metrics": ["cosine", "euclidean", "euclidean_l2"],
        "thresholds": {"cosine": 0.68, "euclidean": 4.15, "euclidean_l2": 1.13},
    }


def test_every_route_names_the_same_cosine_threshold() -> None:
    calibrated = client(stages(), policy=Policy(thresholds={"arcface": 0.6}))
    told = [
        calibrated.get("/api/v1/model-info").json(),
        calibrated.get("/health").json()["networks"]["arcface"],
        calibrated.get("/v1/models").json()["embedders"]["arcface"],
    ]
    assert [each["cosine_threshold"] for each in told] == [0.6, 0.6, 0.6]


def test_a_fault_is_a_500_that_hides_it() -> None:
    broken = stages(embed=FakeNetwork(RuntimeError("a secret")))
    with serve_log():
        response = client(broken).post(
            "/api/v1/extract-embedding", json={"image": TEXT}, headers={"X-Request-ID": "caller-17"}
        )
    assert refusal(response, 500) == ("INTERNAL_ERROR", "Internal error; quote request id caller-17")


def test_a_request_that_takes_too_long_is_a_503() -> None:
    class Stuck(FakeDetector):
        async def __call__(self, photos: Sequence[bytes], crops: Sequence[CropSpec], pick: Pick) -> Detection:
            await asyncio.Event().wait()
            raise AssertionError

    response = client(stages(Stuck()), LimitArgs(request_timeout=0.01)).post(
        "/api/v1/extract-embedding", json={"image": TEXT}
    )
    assert refusal(response, 503)[0] == "TIMEOUT"


@pytest.mark.parametrize("path", ["extract-embedding", "compare-faces"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_request_is_refused(path: str, body: bytes) -> None:
    response = client(stages()).post(f"/api/v1/{path}", content=body, headers={"content-type": "application/json"})
    assert refusal(response)[0] == "INVALID_REQUEST"


def test_an_unknown_path_and_a_wrong_method_have_the_contracts_form() -> None:
    assert refusal(client(stages()).get("/api/v1/nowhere"), 404)[0] == "NOT_FOUND"
    assert refusal(client(stages()).get("/api/v1/warm-up"), 405)[0] == "METHOD_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("NO_FACE_DETECTED", 400),
        ("MULTIPLE_FACES_DETECTED", 400),
        ("INVALID_IMAGE", 400),
        ("DOWNLOAD_FAILED", 400),
        ("INVALID_REQUEST", 400),
        ("BODY_TOO_LARGE", 413),
        ("UNAVAILABLE", 503),
    ],
)
def test_every_code_has_its_status(code: str, status: int) -> None:
    assert error_answer(Refused(code, "Because"), "id") == (status, {"detail": {"code": code, "message": "Because"}})
