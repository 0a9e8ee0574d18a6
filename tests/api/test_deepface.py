"""The contract of the DeepFace service, over fake stages."""

import base64
from dataclasses import replace
from importlib import metadata
from typing import Any

import httpx
import pytest

from graphs.flow_settings import FlowSettings
from graphs.stages import DetectionRequest, Stages
from imaging.crops import CropSpec
from imaging.faces import Detection, Photo
from imaging.geometry import Box
from imaging.pick import Pick
from tests.fakes import (
    EMBEDDER_CROP,
    FakeDetector,
    FakeDownloads,
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
ADDRESS = "HTTPS://example.com/face.jpg"


def seen_at(box: Box, width: int = 640, height: int = 480) -> FakeDetector:
    """A detector that finds one face at `box`."""
    seen = photo(width, height)
    return FakeDetector(replace(seen, faces=(replace(seen.faces[0], box=box),)))


def stages(detect: Any = None, embed: FakeNetwork | None = None) -> Stages:
    """The stages of the contract. By default they find one face with the embedding (0, 1)."""
    return match_stages(detect or FakeDetector(photo()), embed=embed or FakeNetwork([[0.0, 1.0]]))


def extract(of: Stages | None = None, downloads: FakeDownloads | None = None, **fields: Any) -> httpx.Response:
    asked = client(of or stages(), downloads=downloads)
    return asked.post("/api/v1/extract-embedding", json={"image": TEXT, **fields})


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


@pytest.mark.parametrize("fields", [{}, {"image_type": "base64"}])
def test_an_address_is_fetched_only_if_the_request_says_that_it_is_one(fields: Any) -> None:
    downloads = FakeDownloads({ADDRESS: PHOTO})
    assert refusal(extract(None, downloads, image=ADDRESS, **fields))[0] == "INVALID_IMAGE"
    assert downloads.calls == []
    assert extract(None, downloads, image=ADDRESS, image_type="url").is_success


def test_without_enforcement_a_photo_without_a_face_is_embedded_whole() -> None:
    looks = seen_at((0, 0, 320, 240), 320, 240)

    async def whole(question: DetectionRequest) -> Detection:
        found = await looks(question)
        return replace(found, photos=tuple(replace(each, found=0) for each in found.photos if isinstance(each, Photo)))

    found = extract(stages(whole), enforce_detection=False).json()
    assert looks.picks == [Pick("prominent", whole_photo=True)]
    assert found["face_count"] == 0
    assert found["facial_area"] == {"x": 0, "y": 0, "w": 320, "h": 240}
    assert found["embedding"][:2] == [0.0, 1.0]


@pytest.mark.parametrize(
    ("box", "area"),
    [
        ((10.4, 20.6, 99.6, 110.2), (10, 21, 90, 89)),
        ((-20, -30, 700, 500), (0, 0, 640, 480)),
        ((-50, -50, -10, -10), (0, 0, 0, 0)),
        ((700, 500, 800, 600), (640, 480, 0, 0)),
    ],
)
def test_the_area_is_in_whole_pixels_inside_the_photo(box: Box, area: tuple[int, int, int, int]) -> None:
    found = extract(stages(seen_at(box))).json()["facial_area"]
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


@pytest.mark.parametrize("away", ["mtcnn", "arcface"])
def test_a_network_that_does_not_answer_is_unhealthy_and_cold(away: str) -> None:
    whole = stages()
    asked = client(with_stages(whole, *(changed(stage, is_ready=stage.role != away) for stage in whole.all)))
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
    configured = client(stages(), settings=FlowSettings(thresholds={"arcface": 0.6}))
    assert configured.get("/api/v1/model-info").json() == {**info, "cosine_threshold": 0.6}


def compare(first: Any, second: Any, **fields: Any) -> httpx.Response:
    body = {"embedding1": first, "embedding2": second, **fields}
    return client().post("/api/v1/compare-faces", json=body)


@pytest.mark.parametrize(
    ("metric", "distance", "similarity", "threshold"),
    [
        ("cosine", 0.4, 0.6, 0.68),
        ("euclidean", 20**0.5, 1 / (1 + 20**0.5), 4.15),
        ("euclidean_l2", 0.8**0.5, 0.6, 1.13),
    ],
)
def test_two_embeddings_are_compared_in_the_contracts_form(
    metric: str, distance: float, similarity: float, threshold: float
) -> None:
    response = compare([5, 0], [3, 4], distance_metric=metric, threshold=None)
    assert response.status_code == 200
    assert response.json() == {
        "is_same_person": metric != "euclidean",
        "distance": pytest.approx(distance),
        "similarity": pytest.approx(similarity),
        "confidence": pytest.approx(max(0, 1 - distance / threshold)),
        "threshold_used": threshold,
        "distance_metric": metric,
    }


@pytest.mark.parametrize(
    ("second", "threshold", "same", "confidence"),
    [([3, 4], 16, True, 0.75), ([3, 4], 4, False, 0), ([3, 4], 5e-324, False, 0), ([3, 0], 5e-324, True, 1)],
)
def test_from_the_threshold_on_it_is_another_person_with_confidence_0(
    second: list[float], threshold: float, same: bool, confidence: float
) -> None:
    found = compare([3, 0], second, distance_metric="euclidean", threshold=threshold).json()
    assert (found["is_same_person"], found["confidence"]) == (same, confidence)
    assert compare([3, 0], second).json()["distance_metric"] == "cosine"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("threshold", "0"),
        ("threshold", "1e999"),
        ("threshold", '"1"'),
        ("distance_metric", "null"),
        ("embedding2", "[1, 0, 1]"),
    ],
)
def test_an_invalid_field_is_named(field: str, value: str) -> None:
    fields = {"embedding1": "[1, 2]", "embedding2": "[2, 1]", field: value}
    body = "{" + ", ".join(f'"{name}": {text}' for name, text in fields.items()) + "}"
    headers = {"content-type": "application/json"}
    code, message = refusal(client().post("/api/v1/compare-faces", content=body, headers=headers))
    assert code == "INVALID_REQUEST"
    assert field in message
