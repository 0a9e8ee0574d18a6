"""POST /v1/detect, /v1/embed, /v1/verify and /v1/compare, over fake networks."""

from typing import Any, get_args

import pytest

from graphs.policy import Policy
from imaging.pick import FaceRule, Pick
from tests.api.v1 import EMBEDDED, FACE, PHOTO, Api, message, refusal
from tests.fakes import direction

MODELS = {"detector": "detector-model", "liveness": None, "embedder": None}
LIVE = {"live": True, "score": 0.875, "threshold": 0.5}
SPOOF = {"live": False, "score": 0.125, "threshold": 0.5}


def verify(api: Api, first: str, second: str, **options: Any) -> Any:
    files = {"photo1": first.encode(), "photo2": second.encode()}
    return api.client.post("/v1/verify", files=files, params=options)


def compare(first: list[float], second: list[float], contract: str = "contract", **fields: Any) -> Any:
    return Api().post("/v1/compare", {**pair(first, second, contract), **fields})


def pair(first: list[float], second: list[float], contract: str = "contract") -> dict[str, Any]:
    return {
        "embedding1": {"contract": contract, "values": first},
        "embedding2": {"contract": contract, "values": second},
    }


def timed(answer: Any, photos: int = 1) -> Any:
    """The answer without its times, which are checked."""
    timings = answer.pop("timings_ms")
    assert timings.keys() == {"detection", "networks", "total"}
    # The fake replicas report 125 ms per photo.
    assert timings["detection"] == 125 * photos
    assert timings["networks"] >= 0
    assert timings["total"] > 0
    return answer


def test_what_is_detected() -> None:
    response = Api().send("/v1/detect", "anna bob")
    assert response.status_code == 200
    assert timed(response.json()) == {
        "photo": PHOTO,
        "faces_found": 2,
        "faces": [FACE, {**FACE, "score": 0.98}],
        "models": MODELS,
    }


def test_a_photo_without_faces_has_an_empty_list() -> None:
    for route in ("detect", "embed"):
        response = Api().send(f"/v1/{route}", "nobody", liveness="report")
        assert response.status_code == 200
        assert response.json()["faces"] == []


@pytest.mark.parametrize("policy", ["report", "require"])
def test_liveness_stands_beside_each_face(policy: str) -> None:
    found = timed(Api().send("/v1/detect", "anna bob-spoof", liveness=policy).json())
    assert [face["liveness"] for face in found["faces"]] == [LIVE, SPOOF]
    assert found["models"] == {**MODELS, "liveness": "liveness-model"}


@pytest.mark.parametrize("route", ["detect", "embed"])
def test_the_networks_see_no_more_faces_than_max_faces(route: str) -> None:
    api = Api()
    found = api.send(f"/v1/{route}", "anna bob carl", max_faces=2, liveness="report").json()
    assert [face["score"] for face in found["faces"]] == [0.99, 0.98]
    assert found["faces_found"] == 3
    assert api.people.scored == [["anna", "bob"]]


def test_what_is_embedded() -> None:
    response = Api().send("/v1/embed", "anna bob")
    assert response.status_code == 200
    found = timed(response.json())
    assert [face.pop("embedding") for face in found["faces"]] == [
        {"contract": "contract", "values": [pytest.approx(value, abs=1e-6) for value in direction(degrees)]}
        for degrees in (0, 90)
    ]
    assert found == {
        "photo": PHOTO,
        "faces_found": 2,
        "faces": [EMBEDDED, {**EMBEDDED, "score": 0.98}],
        "models": {**MODELS, "embedder": "embedder-model"},
    }


def test_the_embedder_is_chosen_by_its_role() -> None:
    found = Api().send("/v1/embed", "anna", embedder="facenet").json()
    assert found["faces"][0]["embedding"] == {"contract": "contract-of-3", "values": [1, 0, 0]}
    assert found["models"]["embedder"] == "other-model"


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
        "models": {"detector": "detector-model", "liveness": "liveness-model", "embedder": "embedder-model"},
    }


@pytest.mark.parametrize(
    ("options", "match", "value", "threshold"),
    [
        ({"threshold": 0.95}, False, 0.9396926, {"value": 0.95, "source": "request"}),
        ({"threshold": 0.93}, True, 0.9396926, {"value": 0.93, "source": "request"}),
        ({"metric": "euclidean"}, True, 0.3472964, {"value": pytest.approx(1.2**0.5), "source": "card"}),
        ({"metric": "euclidean", "threshold": 0.34}, False, 0.3472964, {"value": 0.34, "source": "request"}),
        ({"metric": "euclidean", "threshold": 0.35}, True, 0.3472964, {"value": 0.35, "source": "request"}),
        ({"embedder": "facenet"}, True, 0.9396926, {"value": 0.5, "source": "card"}),
    ],
)
def test_metric_and_threshold(options: Any, match: bool, value: float, threshold: Any) -> None:
    size, contract = (3, "contract-of-3") if options.pop("embedder", None) else (2, "contract")
    role = {"embedder": "facenet"} if size == 3 else {}
    verified = verify(Api(), "anna", "anne", **options, **role)
    compared = compare(direction(0, size), direction(20, size), contract, **options)
    for found in (verified.json(), compared.json()):
        assert (found["match"], found["threshold"]) == (match, threshold)
        assert found["metric"] == options.get("metric", "cosine")
        assert found["value"] == pytest.approx(value, abs=1e-6)
        assert found["cosine_similarity"] == pytest.approx(0.9396926, abs=1e-6)


@pytest.mark.parametrize(
    ("options", "match", "threshold"),
    [
        ({}, False, {"value": 0.95, "source": "configuration"}),
        ({"threshold": 0.9}, True, {"value": 0.9, "source": "request"}),
        ({"metric": "euclidean"}, False, {"value": pytest.approx(0.1**0.5), "source": "configuration"}),
    ],
)
def test_a_threshold_of_the_configuration_decides_where_the_request_has_none(
    options: Any, match: bool, threshold: Any
) -> None:
    policy = Policy(thresholds={"arcface": 0.95})
    compared = Api(policy=policy).post("/v1/compare", {**pair(direction(0), direction(20)), **options})
    for found in (verify(Api(policy=policy), "anna", "anne", **options).json(), compared.json()):
        assert (found["match"], found["threshold"]) == (match, threshold)
    # Another embedder's stays its card's.
    other = verify(Api(policy=policy), "anna", "anne", embedder="facenet").json()
    assert other["threshold"] == {"value": 0.5, "source": "card"}


@pytest.mark.parametrize(("policy", "match"), [("off", True), ("report", True), ("require", False)])
def test_a_spoof_is_no_match_where_liveness_is_required(policy: str, match: bool) -> None:
    for photos in (("anna-spoof", "anna"), ("anna", "anna-spoof")):
        assert verify(Api(), *photos, liveness=policy).json()["match"] is match
    assert verify(Api(), "anna", "anna-2", liveness=policy).json()["match"] is True


@pytest.mark.parametrize("faces", get_args(FaceRule))
@pytest.mark.parametrize("route", ["detect", "embed", "verify"])
def test_every_face_rule_reaches_the_detector(route: str, faces: FaceRule) -> None:
    api = Api(policy=Policy(other_faces=0.25))
    response = (
        verify(api, "anna", "bob", faces=faces) if route == "verify" else api.send(f"/v1/{route}", "anna", faces=faces)
    )
    assert response.status_code == 200
    assert api.people.picks == [Pick(faces, 0.25, 20 if route == "verify" else 100)]


def test_one_face_is_compared_of_several_unless_there_has_to_be_one() -> None:
    found = verify(Api(), "anna bob-large", "bob").json()
    assert found["match"] is True
    assert [face["score"] for face in found["faces"]] == [0.98, 0.99]
    assert found["faces_found"] == [1, 1]
    response = verify(Api(), "bob", "anna bob-large", faces="one")
    assert refusal(response) == (422, "MULTIPLE_FACES_DETECTED")
    assert message(response) == "photo2: Multiple faces detected (2). Exactly one face is required"
    assert verify(Api(), "anna", "anna-2", faces="one").json()["match"] is True


@pytest.mark.parametrize(
    ("first", "second", "code", "number"),
    [("nobody", "anna", "NO_FACE_DETECTED", 1), ("anna", "broken", "INVALID_IMAGE", 2)],
)
def test_a_photo_that_cannot_be_compared_is_named(first: str, second: str, code: str, number: int) -> None:
    response = verify(Api(), first, second)
    assert refusal(response) == (422, code)
    assert message(response).startswith(f"photo{number}: ")


def test_two_embeddings_are_compared_whatever_their_length() -> None:
    response = compare([2, 0], [0.5, 0.5])
    assert response.status_code == 200
    found = response.json()
    assert found.pop("value") == found.pop("cosine_similarity") == pytest.approx(0.5**0.5)
    assert found == {"match": True, "metric": "cosine", "threshold": {"value": 0.4, "source": "card"}}
    distance = compare([2, 0], [0, 0.5], metric="euclidean").json()
    assert distance["value"] == pytest.approx(2**0.5)
    assert distance["match"] is False


def test_embeddings_of_unknown_or_of_two_networks_are_refused() -> None:
    assert refusal(compare([1, 0], [1, 0], contract="unheard-of")) == (409, "EMBEDDING_CONTRACT_MISMATCH")
    mixed = pair([1, 0], [1, 0])
    mixed["embedding2"]["contract"] = "contract-of-3"
    assert refusal(Api().post("/v1/compare", mixed)) == (409, "EMBEDDING_CONTRACT_MISMATCH")


@pytest.mark.parametrize("sizes", [(3, 2), (2, 3), (1, 1), (3, 3)])
def test_embeddings_of_another_length_than_the_networks_are_refused(sizes: tuple[int, int]) -> None:
    first, second = ([1.0] * size for size in sizes)
    assert refusal(compare(first, second)) == (422, "INVALID_EMBEDDING")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("embedding1", '{"contract": "contract", "values": [NaN, 1]}'),
        ("embedding1", '{"contract": "contract", "values": [0, 0]}'),
        ("embedding1", f'{{"contract": "{"c" * 65}", "values": [1, 0]}}'),
        ("embedding1", '{"contract": "contract"}'),
        ("embedding1", "null"),
        ("threshold", "3"),
        ("threshold", "NaN"),
        ("metric", '"manhattan"'),
    ],
)
def test_an_invalid_field_is_refused_by_name(field: str, value: str) -> None:
    good = '{"contract": "contract", "values": [1, 0]}'
    fields = {"embedding1": good, "embedding2": good, field: value}
    response = Api().post("/v1/compare", "{" + ", ".join(f'"{name}": {text}' for name, text in fields.items()) + "}")
    assert refusal(response) == (400, "INVALID_REQUEST")
    assert message(response).startswith(field)
