"""The contract of the face comparison service (seed 002), over fake stages."""

import base64
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from api.contracts.compare import error_answer
from api.settings import LimitArgs
from graphs.policy import Policy
from graphs.stages import EmbedderStage, Stages
from imaging.crops import CropSpec
from imaging.faces import Face, Photo
from imaging.geometry import Box
from imaging.refused import Refused
from tests.api.test_match import shape
from tests.fakes import FakeDetector, FakeNetwork, client, crops_of, is_ready, network, photo, serve_log, unit
from tests.fakes import stages as match_stages

FIRST, SECOND = b"the first photo", b"the second photo"
TEXT1, TEXT2 = base64.b64encode(FIRST).decode(), base64.b64encode(SECOND).decode()
PAIR = {"image1_base64": TEXT1, "image2_base64": TEXT2}
CROP = CropSpec(5, "box")
ROUTES = pytest.mark.parametrize("route", ["/compare", "/mediapipe"])

EXAMPLE: dict[str, Any] = {
    "similarity": 0.85,
    "match": True,
    "total_processing_time_ms": 120.5,
    "image1_metrics": {
        "face_detected": True,
        "detection_time_ms": 45.2,
        "face_coordinates": [10, 20, 100, 110],
        "confidence_score": 0.98,
    },
    "image2_metrics": {
        "face_detected": True,
        "detection_time_ms": 43.8,
        "face_coordinates": [15, 25, 105, 115],
        "confidence_score": 0.97,
    },
    "embedding1_metrics": {
        "embedding_time_ms": 12.3,
        "embedding_dimension": 512,
        "embedding_norm": 1.0,
        "embedding_stats": {"min": -0.5, "max": 0.5, "mean": 0.0, "std": 0.2},
    },
    "embedding2_metrics": {
        "embedding_time_ms": 12.1,
        "embedding_dimension": 512,
        "embedding_norm": 1.0,
        "embedding_stats": {"min": -0.5, "max": 0.5, "mean": 0.0, "std": 0.2},
    },
    "comparison_metrics": {
        "similarity_computation_time_ms": 0.1,
        "cosine_similarity": 0.85,
        "euclidean_distance": 0.3,
        "threshold_used": 0.6,
    },
}
"""The response as the contract documents it."""


def embedder(name: str, embed: FakeNetwork | None = None) -> EmbedderStage:
    answer = embed or FakeNetwork(unit(0.8))
    return EmbedderStage(network(name), is_ready, (CROP,), 2, "contract", 0.4, answer)


def stages(detect: FakeDetector | None = None, embed: FakeNetwork | None = None) -> Stages:
    """The stages of both routes; by default two good photos of two faces, 0.8 alike."""
    whole = match_stages(detect)
    mtcnn = whole.detectors["mtcnn"]
    return replace(
        whole,
        detectors={"mtcnn": mtcnn, "mediapipe": replace(mtcnn, network=network("mediapipe"))},
        embedders={**whole.embedders, "facenet": embedder("facenet", embed)},
    )


def answer(of: Stages | None = None, route: str = "/compare", policy: Policy | None = None) -> Any:
    response = client(of or stages(), policy=policy).post(route, json=PAIR)
    assert response.status_code == 200
    return response.json()


def refusal(body: Any, of: Stages | None = None, route: str = "/compare") -> str:
    """The message of the 400 that `body` is answered with."""
    response = client(of or stages()).post(route, json=body)
    assert response.status_code == 400
    assert response.json().keys() == {"detail"}
    message = response.json()["detail"]
    assert isinstance(message, str)
    return message


def of_boxes(*boxes: Box) -> Photo:
    """A photo of faces in these places, the first one the surest."""
    whole = photo(faces=[0.875 - 0.125 * place for place in range(len(boxes))])
    faces = (replace(face, box=box) for face, box in zip(whole.faces, boxes, strict=True))
    return replace(whole, faces=tuple[Face, ...](faces))


@ROUTES
def test_the_answer_has_the_contracts_form_and_the_models_beside_it(route: str) -> None:
    found = answer(route=route)
    detector = {"/compare": "detector-model", "/mediapipe": "mediapipe-model"}[route]
    assert found.pop("models") == {"detector": detector, "embedder": "facenet-model"}
    assert shape(found) == shape(EXAMPLE)
    for image in ("image1_metrics", "image2_metrics"):
        assert [type(edge) for edge in found[image]["face_coordinates"]] == [int] * 4


@ROUTES
def test_no_more_than_the_most_prominent_faces_are_looked_for(route: str) -> None:
    looks = FakeDetector(photo(), photo())
    answer(stages(looks), route)
    assert [pick.rule for pick in looks.picks] == ["prominent"]


def test_each_photo_has_its_own_metrics() -> None:
    looks = FakeDetector(
        replace(of_boxes((10.4, 20.6, 99.5, 110)), seconds=0.5), replace(of_boxes((-3.2, 0, 60, 70.2)), seconds=0.25)
    )
    found = answer(stages(looks, FakeNetwork([[1.0, 0.0, 0.0, 0.0], [0.5, -0.5, 0.5, 0.5]])))
    assert found["image1_metrics"] == {
        "face_detected": True,
        "detection_time_ms": 500,
        "face_coordinates": [10, 21, 100, 110],
        "confidence_score": 0.875,
    }
    assert found["image2_metrics"]["face_coordinates"] == [-3, 0, 60, 70]
    assert found["image2_metrics"]["detection_time_ms"] == 250
    first, second = found["embedding1_metrics"], found["embedding2_metrics"]
    assert first["embedding_time_ms"] == second["embedding_time_ms"]
    assert (first["embedding_dimension"], first["embedding_norm"]) == (4, 1.0)
    assert first["embedding_stats"] == {"min": 0.0, "max": 1.0, "mean": 0.25, "std": pytest.approx(3**0.5 / 4)}
    assert second["embedding_stats"] == {"min": -0.5, "max": 0.5, "mean": 0.25, "std": pytest.approx(3**0.5 / 4)}
    compared = found["comparison_metrics"]
    assert (compared["cosine_similarity"], compared["euclidean_distance"]) == (0.5, 1.0)
    assert found["similarity"] == 0.5


def test_the_times_are_of_this_request() -> None:
    found = answer()
    embedding = found["embedding1_metrics"]["embedding_time_ms"]
    assert 0 < found["comparison_metrics"]["similarity_computation_time_ms"] < found["total_processing_time_ms"]
    assert 0 < 2 * embedding < found["total_processing_time_ms"] < 30_000


@ROUTES
def test_the_photos_reach_the_routes_own_detector_in_their_order(route: str) -> None:
    used, other = FakeDetector(photo(), photo()), FakeDetector()
    whole = stages()
    detectors = {
        role: replace(stage, detect=used if f"/{role}" == route.replace("compare", "mtcnn") else other)
        for role, stage in whole.detectors.items()
    }
    body = {**PAIR, "image1_base64": f"data:image/png;base64,{TEXT1}"}
    assert client(replace(whole, detectors=detectors)).post(route, json=body).status_code == 200
    assert used.calls == [([FIRST, SECOND], [CROP])]
    assert other.calls == []


def test_the_most_prominent_face_counts_and_not_the_surest() -> None:
    embed = FakeNetwork(unit(0.8))
    looks = FakeDetector(of_boxes((0, 0, 40, 40), (50, 50, 150, 150)), of_boxes((230, 150, 410, 330), (0, 0, 190, 190)))
    found = answer(stages(looks, embed))
    assert found["image1_metrics"]["face_coordinates"] == [50, 50, 150, 150]
    assert found["image1_metrics"]["confidence_score"] == 0.75
    assert found["image2_metrics"]["face_coordinates"] == [230, 150, 410, 330]
    [[crops]] = embed.calls
    assert np.array_equal(crops, [crops_of(1, CROP), crops_of(2, CROP)])


def test_the_embedder_is_the_contracts_own_where_it_is_there() -> None:
    whole = stages()
    both = replace(whole, embedders={**whole.embedders, "inception_resnet_v1": embedder("inception")})
    assert answer(both)["models"]["embedder"] == "inception-model"


@pytest.mark.parametrize(("cosine", "match"), [(0.59, False), (0.61, True), (1.0, True), (-1.0, False)])
def test_the_default_threshold_is_the_contracts(cosine: float, match: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIMILARITY_THRESHOLD", raising=False)
    found = answer(stages(embed=FakeNetwork(unit(cosine))))
    assert found["match"] is match
    assert found["comparison_metrics"]["threshold_used"] == 0.6


def test_a_policy_without_a_threshold_leaves_the_contracts() -> None:
    found = answer(policy=Policy().model_copy(update={"similarity_threshold": None}))
    assert (found["comparison_metrics"]["threshold_used"], found["match"]) == (0.6, True)


@pytest.mark.parametrize(("threshold", "match"), [(0.0, True), (0.5, True), (0.5000001, False)])
def test_the_policys_threshold_decides_and_at_it_is_a_match(threshold: float, match: bool) -> None:
    fakes = stages(embed=FakeNetwork([[1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.5, 0.5]]))
    found = answer(fakes, policy=Policy(similarity_threshold=threshold))
    assert (found["comparison_metrics"]["threshold_used"], found["match"]) == (threshold, match)


@ROUTES
@pytest.mark.parametrize(("place", "name"), [(0, "image1"), (1, "image2")])
@pytest.mark.parametrize(
    ("found", "reason"),
    [(photo(faces=[]), "No face detected"), (Refused("INVALID_IMAGE", "It is damaged"), "It is damaged")],
    ids=["nobody", "damaged"],
)
def test_a_photo_of_no_use_is_refused_by_name(
    route: str, place: int, name: str, found: Photo | Refused, reason: str
) -> None:
    photos: list[Photo | Refused] = [photo(), photo()]
    photos[place] = found
    embed = FakeNetwork(unit(0.8))
    assert refusal(PAIR, stages(FakeDetector(*photos), embed), route) == f"{name}: {reason}"
    assert embed.calls == []


@pytest.mark.parametrize("name", ["image1", "image2"])
@pytest.mark.parametrize("field", ["no base64!", "http://example.com/face.jpg", "file:///etc/passwd"])
def test_what_is_not_base64_is_refused_by_name(name: str, field: str) -> None:
    message = refusal({**PAIR, f"{name}_base64": field})
    assert message == f"{name}: The image is neither an address nor base64"


@pytest.mark.parametrize("name", ["image1_base64", "image2_base64"])
@pytest.mark.parametrize("value", [None, 5, True, "", [TEXT1], {}])
def test_a_photo_of_a_wrong_type_is_refused_by_name(name: str, value: Any) -> None:
    assert refusal({**PAIR, name: value}).startswith(f"{name}: ")


@ROUTES
def test_a_missing_photo_is_refused(route: str) -> None:
    assert refusal({"image1_base64": TEXT1}, route=route) == "image2_base64: Field required"
    assert refusal({}, route=route) == "image1_base64: Field required"


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b"\xff"])
def test_a_body_that_is_no_request_is_refused(body: bytes) -> None:
    response = client(stages()).post("/compare", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert isinstance(response.json()["detail"], str)


def test_a_photo_that_is_too_large_never_reaches_a_stage() -> None:
    looks = FakeDetector(photo(), photo())
    response = client(stages(looks), LimitArgs(max_image_size=10)).post("/compare", json=PAIR)
    assert response.status_code == 400
    assert response.json() == {"detail": "image1: The image has more than the 10 bytes that are accepted"}
    assert looks.calls == []


@ROUTES
def test_a_configuration_without_the_stages_is_a_503(route: str) -> None:
    whole = stages()
    bare = replace(whole, embedders={"arcface": whole.embedders["arcface"]})
    response = client(bare).post(route, json=PAIR)
    assert response.status_code == 503
    assert "inception_resnet_v1 or facenet" in response.json()["detail"]
    bare = replace(whole, detectors={})
    assert client(bare).post(route, json=PAIR).status_code == 503


@ROUTES
@pytest.mark.parametrize("numbers", [RuntimeError("a secret"), [[float("nan")] * 2] * 2, [[0.0, 0.0], [1.0, 0.0]]])
def test_a_fault_is_a_500_that_hides_it(route: str, numbers: Sequence[Any] | Exception) -> None:
    with serve_log():
        response = client(stages(embed=FakeNetwork(numbers))).post(
            route, json=PAIR, headers={"X-Request-ID": "caller-17"}
        )
    assert response.status_code == 500
    assert response.json() == {"detail": "Internal error; quote request id caller-17"}


@ROUTES
def test_only_post_is_answered(route: str) -> None:
    response = client(stages()).get(route)
    assert response.status_code == 405
    assert response.json() == {"detail": "Method Not Allowed"}


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
    assert error_answer(Refused(code, "Because"), "id") == (status, {"detail": "Because"})
