"""POST /v1/detect, /v1/embed, /v1/verify and /v1/compare, over fake networks."""

from typing import Any

import pytest

from api.settings import LimitArgs
from graphs.flow_settings import FlowSettings
from imaging.pick import Pick
from tests.api.v1 import EMBEDDED, FACE, MODELS, PHOTO, Api, message, refusal
from tests.fakes import direction

LIVE = {"live": True, "score": 0.875, "threshold": 0.5}
SPOOF = {"live": False, "score": 0.125, "threshold": 0.5}


def verify(api: Api, first: str, second: str, **options: Any) -> Any:
    files = {"photo1": first.encode(), "photo2": second.encode()}
    return api.client.post("/v1/verify", files=files, params=options)


def compare(first: Any, second: Any, contracts: tuple[str, str] = ("contract", "contract"), **fields: Any) -> Any:
    pair = zip(("embedding1", "embedding2"), contracts, (first, second), strict=True)
    body = {name: {"contract": contract, "values": values} for name, contract, values in pair}
    return Api(settings=fields.pop("settings", None)).post("/v1/compare", {**body, **fields})


def timed(answer: Any, photos: int = 1) -> Any:
    """The answer without its times, which are checked."""
    timings = answer.pop("timings_ms")
    assert timings.keys() == {"detection", "networks", "total"}
    # The fake replicas report 125 ms per photo.
    assert timings["detection"] == 125 * photos
    assert timings["networks"] > 0
    assert timings["total"] > 0
    return answer


def test_what_is_detected() -> None:
    response = Api().send("/v1/detect", "anna bob")
    assert response.status_code == 200
    assert timed(response.json()) == {
        "photo": PHOTO,
        "faces_found": 2,
        "faces": [FACE, {**FACE, "score": 0.98}],
        "models": {**MODELS, "embedder": None},
    }


@pytest.mark.parametrize("route", ["detect", "embed"])
def test_the_networks_see_no_more_faces_than_max_faces(route: str) -> None:
    api = Api()
    found = api.send(f"/v1/{route}", "anna bob-spoof carl", max_faces=2, liveness="report").json()
    assert [face["liveness"] for face in found["faces"]] == [LIVE, SPOOF]
    assert found["models"]["liveness"] == "liveness-model"
    assert [face["score"] for face in found["faces"]] == [0.99, 0.98]
    assert found["faces_found"] == 3
    assert api.people.scored == [["anna", "bob-spoof"]]


@pytest.mark.parametrize(
    ("options", "contract", "size", "model"),
    [({}, "contract", 2, "embedder-model"), ({"embedder": "facenet"}, "contract-of-3", 3, "other-model")],
)
def test_what_is_embedded(options: Any, contract: str, size: int, model: str) -> None:
    response = Api().send("/v1/embed", "anna bob", **options)
    assert response.status_code == 200
    found = timed(response.json())
    assert [face.pop("embedding") for face in found["faces"]] == [
        {"contract": contract, "values": [pytest.approx(value, abs=1e-6) for value in direction(degrees, size)]}
        for degrees in (0, 90)
    ]
    assert found == {
        "photo": PHOTO,
        "faces_found": 2,
        "faces": [EMBEDDED, {**EMBEDDED, "score": 0.98}],
        "models": {**MODELS, "embedder": model},
    }


def test_two_photos_of_one_person_match() -> None:
    response = verify(Api(), "anna", "anne", liveness="report")
    assert response.status_code == 200
    found = timed(response.json(), photos=2)
    assert found.pop("value") == found.pop("cosine_similarity") == pytest.approx(0.9396926, abs=1e-6)
    assert found == {
        "match": True,
        "metric": "cosine",
        "threshold": {"value": 0.4, "source": "card"},
        "faces_found": [1, 1],
        "faces": [{**EMBEDDED, "liveness": LIVE}] * 2,
        "models": {**MODELS, "liveness": "liveness-model"},
    }


@pytest.mark.parametrize(
    ("options", "settings", "match", "value", "source"),
    [
        ({"threshold": 0.93}, 0.95, True, 0.93, "request"),
        ({"metric": "euclidean"}, 0.95, False, 0.1**0.5, "configuration"),
        ({"metric": "euclidean", "threshold": 0.35}, None, True, 0.35, "request"),
    ],
)
def test_metric_and_threshold(options: Any, settings: float | None, match: bool, value: float, source: str) -> None:
    configured = FlowSettings(thresholds={"arcface": settings} if settings else {})
    # The length of an embedding does not matter.
    compared = compare([2, 0], direction(20), settings=configured, **options)
    for found in (verify(Api(settings=configured), "anna", "anne", **options).json(), compared.json()):
        assert (found["match"], found["metric"]) == (match, options.get("metric", "cosine"))
        assert found["threshold"] == {"value": pytest.approx(value), "source": source}
        assert found["cosine_similarity"] == pytest.approx(0.9396926, abs=1e-6)
        measured = 0.3472964 if found["metric"] == "euclidean" else 0.9396926
        assert found["value"] == pytest.approx(measured, abs=1e-6)


@pytest.mark.parametrize("photos", [("anna-spoof", "anna"), ("anna", "anna-spoof")])
def test_a_spoof_is_no_match_where_liveness_is_required(photos: tuple[str, str]) -> None:
    found = [verify(Api(), *photos, liveness=policy).json()["match"] for policy in ("off", "report", "require")]
    assert found == [True, True, False]


@pytest.mark.parametrize(("route", "most"), [("detect", 100), ("embed", 100), ("verify", 20)])
def test_the_face_rule_reaches_the_detector(route: str, most: int) -> None:
    api = Api(settings=FlowSettings(other_faces=0.25))
    if route == "verify":
        verify(api, "anna", "bob", faces="largest")
    else:
        api.send(f"/v1/{route}", "anna", faces="largest")
    assert api.people.picks == [Pick("largest", 0.25, most)]


def test_a_photo_that_cannot_be_compared_is_named() -> None:
    response = verify(Api(), "anna", "bob carl", faces="one")
    assert message(response) == "photo2: Multiple faces detected (2). Exactly one face is required"
    too_large = verify(Api(LimitArgs(max_image_size=6)), "anna", "bob-large")
    assert message(too_large) == "photo2: The image exceeds the limit of 6 bytes"


def test_embeddings_of_another_network_or_length_are_refused() -> None:
    for contracts in (("unheard-of", "unheard-of"), ("contract", "contract-of-3")):
        assert refusal(compare([1, 0], [1, 0], contracts)) == (409, "EMBEDDING_CONTRACT_MISMATCH")
    for one, other in ((3, 2), (2, 3), (1, 1), (3, 3)):
        assert refusal(compare([1.0] * one, [1.0] * other)) == (422, "INVALID_EMBEDDING")


@pytest.mark.parametrize("length", [1e-40, 1e-30, 1e30, 1e38])
def test_the_length_of_an_embedding_does_not_matter(length: float) -> None:
    answer = compare([length, 0], [length, length]).json()
    assert answer["value"] == pytest.approx(2**-0.5)
