"""The contract of the DeepFace service (seed 004), over fake stages."""

import base64
from dataclasses import replace
from importlib import metadata
from typing import Any

import httpx
import numpy as np
import pytest

from graphs.policy import Policy
from graphs.stages import DetectionRequest, Stages
from imaging.crops import CropSpec
from imaging.faces import Detection
from imaging.geometry import Box
from imaging.pick import Pick
from tests.fakes import (
    EMBEDDER_CROP,
    FakeAddresses,
    FakeDetector,
    FakeNetwork,
    changed,
    client,
    crops_of,
    detector,
    photo,
    with_stages,
)
from tests.fakes import stages as match_stages

PHOTO = b"a photo"
TEXT = base64.b64encode(PHOTO).decode()
ADDRESS = "https://example.com/face.jpg"


class WholeDetector(FakeDetector):
    """Finds no face in a photo of 320x240, and counts the whole photo."""

    async def __call__(self, question: DetectionRequest) -> Detection:
        crops, pick = question.crops, question.pick
        self.picks.append(pick)
        seen = photo(320, 240, faces=[0.0])
        whole = tuple(replace(face, box=(0, 0, 320, 240)) for face in seen.faces)
        cut = {spec: np.stack([crops_of(0, spec)]) for spec in crops}
        return Detection((replace(seen, faces=whole, found=0),), cut)


def stages(detect: FakeDetector | None = None, embed: FakeNetwork | None = None) -> Stages:
    """The stages of the contract. By default they find one face with the embedding (0, 1)."""
    return match_stages(detect or FakeDetector(photo()), embed=embed or FakeNetwork([[0.0, 1.0]]))


def extract(of: Stages | None = None, addresses: FakeAddresses | None = None, **fields: Any) -> httpx.Response:
    asked = client(of or stages(), addresses=addresses)
    response: httpx.Response = asked.post("/api/v1/extract-embedding", json={"image": TEXT, **fields})
    return response


def refusal(response: httpx.Response, status: int = 400) -> tuple[str, str]:
    """The code and the message of an error."""
    assert response.status_code == status
    detail = response.json()["detail"]
    return detail["code"], detail["message"]


def test_an_embedding_has_the_contracts_form_and_the_names_of_the_networks() -> None:
    looks = FakeDetector(photo(faces=[0.75]))
    response = extract(stages(looks))
    assert response.status_code == 200
    found = response.json()
    assert (found.pop("detector"), found.pop("model")) == ("detector-model", "embedder-model")
    assert 0 < found.pop("processing_time_ms") < 30_000
    assert found == {
        "embedding": [0.0, 1.0] + [0.0] * 510,
        "face_count": 1,
        "face_confidence": 0.75,
        "facial_area": {"x": 10, "y": 10, "w": 100, "h": 100},
    }
    assert looks.calls == [([PHOTO], [EMBEDDER_CROP])]
    assert looks.picks == [Pick("one", 0.33)]


def test_the_contracts_own_detector_is_used_where_it_is_configured() -> None:
    whole = stages()
    own = detector(FakeDetector(photo()), "retinaface", "retinaface")
    assert extract(with_stages(whole, own)).json()["detector"] == "retinaface-model"


@pytest.mark.parametrize("address", [ADDRESS, "HTTPS://example.com"])
def test_a_photo_is_fetched_by_its_address(address: str) -> None:
    looks, addresses = FakeDetector(photo()), FakeAddresses({address: PHOTO})
    assert extract(stages(looks), addresses, image=address, image_type="url").status_code == 200
    assert looks.calls[0][0] == [PHOTO]


@pytest.mark.parametrize("field", [TEXT, "file:///etc/passwd", "//example.com", " https://a.b"])
def test_an_invalid_address_is_a_failed_download(field: str) -> None:
    found = refusal(extract(image=field, image_type="url"))
    assert found == ("DOWNLOAD_FAILED", "The image is not an http or https URL")


@pytest.mark.parametrize("fields", [{}, {"image_type": "base64"}])
def test_an_address_sent_as_base64_is_not_fetched(fields: Any) -> None:
    addresses = FakeAddresses({ADDRESS: PHOTO})
    assert refusal(extract(None, addresses, image=ADDRESS, **fields))[0] == "INVALID_IMAGE"
    assert addresses.calls == []


def test_without_enforcement_a_photo_without_a_face_is_embedded_whole() -> None:
    looks = WholeDetector()
    found = extract(stages(looks), enforce_detection=False).json()
    assert looks.picks == [Pick("prominent", whole_photo=True)]
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


def test_without_alignment_only_aligned_crops_change() -> None:
    whole, own = stages(looks := FakeDetector(photo()), embed := FakeNetwork([[0.0, 1.0]])), CropSpec(5, "square", 1.25)
    arcface = changed(whole.networks["arcface"], crops=(own, EMBEDDER_CROP))
    extract(with_stages(whole, arcface), align=False)
    unaligned = CropSpec(EMBEDDER_CROP.size, "box")
    assert looks.calls[0][1] == [own, unaligned]
    assert [crops.tolist() for crops in embed.calls[0]] == [[crops_of(0, spec).tolist()] for spec in (own, unaligned)]


@pytest.mark.parametrize(("field", "value"), [("enforce_detection", "yes"), ("align", 1)])
def test_an_option_of_another_type_is_refused_by_name(field: str, value: Any) -> None:
    code, message = refusal(extract(**{field: value}))
    assert (code, message.partition(": ")[0]) == ("INVALID_REQUEST", field)


def with_ready(finds: bool, embeds: bool) -> Stages:
    whole = stages()
    ready = {"mtcnn": finds, "arcface": embeds}
    return with_stages(whole, *(changed(stage, is_ready=ready.get(stage.role, True)) for stage in whole.all))


def test_the_health_has_the_contracts_form() -> None:
    response = client(stages()).get("/api/v1/health")
    assert response.status_code == 200
    assert response.json() == {
        "status": "healthy",
        "model": "embedder-model",
        "embedding_dimensions": 512,
        "network_dimensions": 2,
        "model_loaded": True,
        "version": metadata.version("facegraph"),
    }


def test_a_warm_service_says_so_in_the_contracts_form() -> None:
    response = client(stages()).post("/api/v1/warm-up")
    assert response.status_code == 200
    found = response.json()
    assert 0 < found.pop("load_time_seconds") < 30
    assert found == {"status": "loaded", "model": "embedder-model"}


@pytest.mark.parametrize(("finds", "embeds"), [(False, True), (True, False)])
def test_a_network_that_does_not_answer_is_unhealthy_and_cold(finds: bool, embeds: bool) -> None:
    asked = client(with_ready(finds, embeds))
    health = asked.get("/api/v1/health")
    assert health.status_code == 503
    assert (health.json()["status"], health.json()["model_loaded"]) == ("unhealthy", False)
    cold = refusal(asked.post("/api/v1/warm-up"), 503)
    assert cold == ("UNAVAILABLE", "The model is not loaded yet; try again shortly")


def test_the_model_info_describes_the_networks() -> None:
    info = {
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
    assert client(stages()).get("/api/v1/model-info").json() == info
    configured = client(stages(), policy=Policy(thresholds={"arcface": 0.6}))
    assert configured.get("/api/v1/model-info").json() == {**info, "cosine_threshold": 0.6}
