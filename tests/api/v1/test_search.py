"""Searching a collection of /v1, over fake networks and a real gallery in a folder."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from api.settings import LimitArgs
from graphs.policy import Policy
from tests.api.v1 import EMBEDDED, PHOTO, STAFF, Api, message, refusal, staff
from tests.fakes import client

CARD = {"value": 0.4, "source": "card"}
SEARCH = f"{STAFF}/search"


def peopled(policy: Policy | None = None, **fields: Any) -> Api:
    """A collection with Anna, Anne and Bob in it."""
    api = Api(policy=policy).make(**fields)
    assert api.enrol(["anna", "anne", "bob"], "anna", "anne", "bob").status_code == 201
    return api


def by_embedding(api: Api, values: Any, contract: str = "contract", **fields: Any) -> httpx.Response:
    body = {"embedding": {"contract": contract, "values": values}, **fields}
    return api.post(f"{SEARCH}/embedding", body)


def test_each_face_of_a_photo_has_its_candidates_best_first() -> None:
    api = peopled()
    ids = {name: api.get(f"{STAFF}/subjects/{name}").json()["faces"][0]["face_id"] for name in api.subjects()}
    response = api.send(SEARCH, "bob-2 anna-2 dora")
    assert response.status_code == 200
    answer = response.json()
    timings = answer.pop("timings_ms")
    assert timings.keys() == {"detection", "networks", "total"}
    assert timings["detection"] == 125
    bob, anna, anne = (
        {"subject": name, "similarity": pytest.approx(similarity, abs=1e-6), "face_id": ids[name]}
        for name, similarity in (("bob", 1), ("anna", 1), ("anne", 0.9396926))
    )
    assert answer == {
        "photo": PHOTO,
        "faces_found": 3,
        "faces": [
            {**EMBEDDED, "candidates": [bob]},
            {**EMBEDDED, "score": 0.98, "candidates": [anna, anne]},
            {**EMBEDDED, "score": 0.97, "candidates": []},
        ],
        "threshold": CARD,
        "models": {"detector": "detector-model", "liveness": None, "embedder": "embedder-model"},
    }


def test_an_embedding_finds_what_its_photo_finds() -> None:
    api = peopled()
    [face] = api.send("/v1/embed", "anna-2").json()["faces"]
    response = by_embedding(api, face["embedding"]["values"])
    assert response.status_code == 200
    assert response.json().keys() == {"candidates", "threshold"}
    [searched] = api.send(SEARCH, "anna-2").json()["faces"]
    assert response.json() == {"candidates": searched["candidates"], "threshold": CARD}


def test_an_embedding_of_any_length_finds_the_same() -> None:
    api = peopled()
    for factor in (0.001, 1000):
        [anna, _] = by_embedding(api, [factor, 0]).json()["candidates"]
        assert (anna["subject"], anna["similarity"]) == ("anna", pytest.approx(1, abs=1e-6))


def test_a_subject_stands_there_once_by_its_most_similar_face() -> None:
    api = staff()
    photos = api.enrol("x", "anna", "anne", "bob").json()["photos"]
    [[candidate]] = [face["candidates"] for face in api.send(SEARCH, "anne-2").json()["faces"]]
    assert (candidate["subject"], candidate["face_id"]) == ("x", photos[1]["face_id"])


@pytest.mark.parametrize("most", [1, 2, 100])
def test_no_more_subjects_than_were_asked_for(most: int) -> None:
    api = peopled()
    assert api.found("anna", top_k=most) == [["anna", "anne"][:most]]
    found = by_embedding(api, [1, 0], top_k=most).json()["candidates"]
    assert [candidate["subject"] for candidate in found] == ["anna", "anne"][:most]


def test_no_more_faces_than_were_asked_for() -> None:
    assert peopled().found("anna bob anne", max_faces=2) == [["anna", "anne"], ["bob"]]


def test_nobody_is_found_in_a_photo_of_nobody_or_in_an_empty_collection() -> None:
    assert peopled().found("nobody") == []
    api = staff()
    assert api.found("anna bob") == [[], []]
    assert by_embedding(api, [1, 0]).json() == {"candidates": [], "threshold": CARD}


@pytest.mark.parametrize(
    ("own", "applied", "found"),
    [(None, {"value": 0.95, "source": "configuration"}, ["anna"]), (0.9, {"value": 0.9, "source": "collection"}, None)],
)
def test_the_configurations_threshold_counts_before_the_cards(
    own: float | None, applied: dict[str, Any], found: list[str] | None
) -> None:
    api = peopled(policy=Policy(thresholds={"arcface": 0.95}), threshold=own)
    by_photo, embedded = api.send(SEARCH, "anna").json(), by_embedding(api, [1, 0]).json()
    assert by_photo["threshold"] == embedded["threshold"] == applied
    for candidates in (by_photo["faces"][0]["candidates"], embedded["candidates"]):
        assert [candidate["subject"] for candidate in candidates] == (found or ["anna", "anne"])


@pytest.mark.parametrize(
    ("own", "requested", "applied", "found"),
    [
        (None, None, {"value": 0.4, "source": "card"}, ["anna", "anne"]),
        (0.95, None, {"value": 0.95, "source": "collection"}, ["anna"]),
        (0.95, 0.9, {"value": 0.9, "source": "request"}, ["anna", "anne"]),
        (None, 0.95, {"value": 0.95, "source": "request"}, ["anna"]),
        (0.0, -1, {"value": -1, "source": "request"}, ["anna", "anne", "bob"]),
        (-1, None, {"value": -1, "source": "collection"}, ["anna", "anne", "bob"]),
        (0.95, 0.0, {"value": 0, "source": "request"}, ["anna", "anne"]),
    ],
)
def test_the_threshold_is_the_requests_or_the_collections_or_the_cards(
    own: float | None, requested: float | None, applied: dict[str, Any], found: list[str]
) -> None:
    api = peopled(threshold=own)
    options: dict[str, Any] = {} if requested is None else {"threshold": requested}
    by_photo, embedded = api.send(SEARCH, "anna", **options).json(), by_embedding(api, [1, 1e-6], **options).json()
    assert by_photo["threshold"] == embedded["threshold"] == applied
    # Rounding decides about Bob at 0.
    for candidates in (by_photo["faces"][0]["candidates"], embedded["candidates"]):
        listed = [candidate["subject"] for candidate in candidates if candidate["subject"] != "bob" or "bob" in found]
        assert listed == found


def test_a_candidate_exactly_at_the_threshold_is_one() -> None:
    api = peopled()
    similarity = by_embedding(api, [1, 0]).json()["candidates"][1]["similarity"]
    for threshold, count in ((similarity, 2), (similarity + 1e-6, 1)):
        assert len(by_embedding(api, [1, 0], threshold=threshold).json()["candidates"]) == count


def test_a_threshold_that_was_changed_counts_at_once() -> None:
    api = peopled()
    assert api.found("anna") == [["anna", "anne"]]
    api.client.put(STAFF, json={"threshold": 0.95})
    assert api.found("anna") == [["anna"]]


@pytest.mark.parametrize(
    ("policy", "found"), [("off", ["anna", "anne"]), ("report", ["anna", "anne"]), ("require", [])]
)
def test_a_spoof_resembles_nobody_where_liveness_is_required(policy: str, found: list[str]) -> None:
    api = peopled()
    answer = api.send(SEARCH, "anna-spoof bob", liveness=policy).json()
    spoof, live = answer["faces"]
    assert [candidate["subject"] for candidate in spoof["candidates"]] == found
    assert [candidate["subject"] for candidate in live["candidates"]] == ["bob"]
    if policy != "off":
        assert spoof["liveness"] == {"live": False, "score": 0.125, "threshold": 0.5}
        assert live["liveness"] == {"live": True, "score": 0.875, "threshold": 0.5}
    assert answer["models"]["liveness"] == (None if policy == "off" else "liveness-model")


def test_the_live_threshold_is_the_policys() -> None:
    api = Api(policy=Policy(liveness_threshold=0.9)).make()
    api.enrol("anna", "anna")
    assert api.found("anna", liveness="require") == [[]]


def test_the_collections_embedder_is_asked_and_no_other() -> None:
    api = staff(embedder="facenet")
    api.enrol("anna", "anna")
    answer = api.send(SEARCH, "anna").json()
    assert answer["models"]["embedder"] == "other-model"
    assert answer["threshold"] == {"value": 0.5, "source": "card"}
    assert by_embedding(api, [1, 0, 0], "contract-of-3").json()["candidates"][0]["subject"] == "anna"


@pytest.mark.parametrize("contract", ["contract-of-3", "", "unheard-of"])
def test_an_embedding_of_another_network_is_refused(contract: str) -> None:
    response = by_embedding(peopled(), [1, 0], contract)
    assert refusal(response) == (409, "EMBEDDING_CONTRACT_MISMATCH")
    assert "staff" in message(response)


@pytest.mark.parametrize("values", [[1], [1, 0, 0], [1.0] * 4096])
def test_an_embedding_of_another_length_is_refused(values: list[float]) -> None:
    assert refusal(by_embedding(peopled(), values)) == (422, "INVALID_EMBEDDING")


@pytest.mark.parametrize("values", ["[NaN, 1]", "[Infinity, 0]", "[1e39, 0]", "[0, 0]", "[]", '["1", "0"]', "{}"])
def test_what_is_no_embedding_is_refused(values: str) -> None:
    body = f'{{"embedding": {{"contract": "contract", "values": {values}}}}}'
    response = staff().post(f"{SEARCH}/embedding", body)
    assert refusal(response) == (400, "INVALID_REQUEST")
    assert message(response).startswith("embedding.values")


def test_a_huge_list_is_refused() -> None:
    assert refusal(by_embedding(staff(), [1.0] * 4097)) == (400, "INVALID_REQUEST")
    api = Api(LimitArgs(max_image_size=1000)).make()
    assert refusal(by_embedding(api, [1.0] * 50_000)) == (413, "BODY_TOO_LARGE")


@pytest.mark.parametrize(
    "options",
    [
        {"top_k": 0},
        {"top_k": 101},
        {"top_k": "all"},
        {"threshold": 1.01},
        {"threshold": -1.01},
        {"threshold": "nan"},
        {"max_faces": 0},
        {"liveness": "yes"},
        {"embedder": "arcface"},
        {"limit": 5},
    ],
)
def test_an_option_that_there_is_not_is_refused_by_name(options: dict[str, Any]) -> None:
    api = staff()
    answers = [api.send(SEARCH, "anna", **options)]
    if "max_faces" not in options:
        answers.append(by_embedding(api, [1, 0], **options))
    for response in answers:
        assert refusal(response) == (400, "INVALID_REQUEST")
        assert next(iter(options)) in message(response)
    assert api.people.detected == []


def test_a_detector_that_there_is_not_is_refused() -> None:
    assert refusal(staff().send(SEARCH, "anna", detector="nobody")) == (422, "UNKNOWN_DETECTOR")


def test_a_photo_that_cannot_be_searched_with_is_refused() -> None:
    api = Api(LimitArgs(max_image_size=6)).make()
    assert refusal(api.send(SEARCH, "broken")) == (422, "INVALID_IMAGE")
    assert refusal(api.send(SEARCH, "anna-2-3")) == (422, "IMAGE_TOO_LARGE")
    assert refusal(api.client.post(SEARCH, data={"photo": "text"})) == (400, "INVALID_REQUEST")
    assert refusal(api.client.post(SEARCH)) == (400, "INVALID_REQUEST")


def test_a_collection_whose_embedder_is_configured_no_more_cannot_be_searched() -> None:
    api = peopled()
    api.client = client(replace(api.stages, embedders={"facenet": api.stages.embedders["facenet"]}))
    assert refusal(api.send(SEARCH, "anna")) == (422, "UNKNOWN_EMBEDDER")
    assert refusal(by_embedding(api, [1, 0])) == (422, "UNKNOWN_EMBEDDER")
