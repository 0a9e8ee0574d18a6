"""The contract of the face comparison service, over fake stages."""

import base64
from dataclasses import replace
from typing import Any

import pytest

from graphs.flow_settings import FlowSettings
from graphs.stages import Stages
from imaging.crops import CropSpec
from imaging.faces import Photo
from imaging.geometry import Box
from tests.fakes import FakeDetector, FakeNetwork, client, detector, embedder, photo, unit, with_stages
from tests.fakes import stages as match_stages

FIRST, SECOND = b"the first photo", b"the second photo"
TEXT1, TEXT2 = base64.b64encode(FIRST).decode(), base64.b64encode(SECOND).decode()
PAIR = {"image1_base64": TEXT1, "image2_base64": TEXT2}
CROP = CropSpec(5, "box")
DETECTORS = {"/compare": "mtcnn", "/mediapipe": "mediapipe"}


def stages(detect: FakeDetector | None = None, embed: FakeNetwork | None = None) -> Stages:
    """The stages of both routes. By default they find two good photos of two faces with similarity 0.8."""
    whole = match_stages(detect)
    return with_stages(whole, embedder(embed or FakeNetwork(unit(0.8)), "facenet", "facenet", crop=CROP))


def face_at(box: Box, seconds: float) -> Photo:
    """A photo with a face at `box`."""
    whole = photo(faces=[0.875], seconds=seconds)
    return replace(whole, faces=(replace(whole.faces[0], box=box),))


@pytest.mark.parametrize("route", DETECTORS)
def test_each_route_has_its_own_detector_and_answers_in_the_contracts_form(route: str) -> None:
    first, second = face_at((10.4, 20.6, 99.5, 110), 0.5), face_at((-3.2, 0, 60, 70.2), 0.25)
    whole = stages(embed=FakeNetwork([[1.0, 0.0, 0.0, 0.0], [0.5, -0.5, 0.5, 0.5]]))
    looks = {role: FakeDetector(first, second) for role in DETECTORS.values()}
    detectors = [detector(look, role, role) for role, look in looks.items()]
    body = {**PAIR, "image1_base64": f"data:image/png;base64,{TEXT1}"}
    settings = FlowSettings(similarity_threshold=0.6)
    response = client(with_stages(whole, *detectors), settings=settings).post(route, json=body)
    assert response.status_code == 200
    found, used = response.json(), DETECTORS[route]
    embedding = found["embedding1_metrics"].pop("embedding_time_ms")
    assert found["embedding2_metrics"].pop("embedding_time_ms") == embedding
    total, compared = found.pop("total_processing_time_ms"), found["comparison_metrics"]
    assert 0 < 2 * embedding < total < 30_000
    assert 0 < compared.pop("similarity_computation_time_ms") < total
    std = pytest.approx(3**0.5 / 4)

    def image(milliseconds: int, *coordinates: int) -> Any:
        told = {"detection_time_ms": milliseconds, "face_coordinates": [*coordinates]}
        return {**told, "face_detected": True, "confidence_score": 0.875}

    assert found == {
        "similarity": 0.5,
        "match": False,
        "image1_metrics": image(500, 10, 21, 100, 110),
        "image2_metrics": image(250, -3, 0, 60, 70),
        "embedding1_metrics": {
            "embedding_dimension": 4,
            "embedding_norm": 1.0,
            "embedding_stats": {"min": 0.0, "max": 1.0, "mean": 0.25, "std": std},
        },
        "embedding2_metrics": {
            "embedding_dimension": 4,
            "embedding_norm": 1.0,
            "embedding_stats": {"min": -0.5, "max": 0.5, "mean": 0.25, "std": std},
        },
        "comparison_metrics": {"cosine_similarity": 0.5, "euclidean_distance": 1.0, "threshold_used": 0.6},
        "models": {"detector": f"{used}-model", "embedder": "facenet-model"},
    }
    assert {role: look.calls for role, look in looks.items() if look.calls} == {used: [([FIRST, SECOND], [CROP])]}
    assert [pick.rule for pick in looks[used].picks] == ["prominent"]


def test_the_contracts_own_embedder_is_used_where_it_is_configured() -> None:
    own = embedder(FakeNetwork(unit(0.8)), "inception", "inception_resnet_v1")
    answer = client(with_stages(stages(), own)).post("/compare", json=PAIR).json()
    assert answer["models"]["embedder"] == "inception-model"


@pytest.mark.parametrize(("own", "threshold", "match"), [(None, 0.6, False), (0.0, 0.0, True), (0.5, 0.5, True)])
def test_the_threshold_is_the_policys_or_the_contracts_and_an_equal_similarity_is_a_match(
    own: float | None, threshold: float, match: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SIMILARITY_THRESHOLD", raising=False)
    fakes = stages(embed=FakeNetwork([[1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.5, 0.5]]))
    answer = client(fakes, settings=FlowSettings(similarity_threshold=own)).post("/compare", json=PAIR).json()
    assert (answer["comparison_metrics"]["threshold_used"], answer["match"]) == (threshold, match)


def test_a_photo_without_a_face_is_named() -> None:
    response = client(stages(FakeDetector(photo(), photo(faces=[])))).post("/compare", json=PAIR)
    assert (response.status_code, response.json()) == (400, {"detail": "image2: No face detected"})


@pytest.mark.parametrize("name", ["image1", "image2"])
def test_a_field_that_is_missing_or_not_base64_is_named(name: str) -> None:
    field = f"{name}_base64"
    for body, detail in (
        (
            {**PAIR, field: "http://example.com/face.jpg"},
            f"{name}: The image is a URL, but only base64 is accepted here",
        ),
        ({**PAIR, field: "face.jpg"}, f"{name}: The image is not valid base64"),
        ({other: text for other, text in PAIR.items() if other != field}, f"{field}: Field required"),
    ):
        response = client(stages()).post("/compare", json=body)
        assert (response.status_code, response.json()) == (400, {"detail": detail})
