"""Searching a collection of /v1, over fake networks and a real gallery in a folder."""

from typing import Any

import httpx
import pytest

from graphs.flow_settings import FlowSettings
from tests.api.v1 import EMBEDDED, MODELS, PHOTO, STAFF, Api, refusal, staff
from tests.fakes import client, stages_of

CARD = {"value": 0.4, "source": "card"}
SEARCH = f"{STAFF}/search"


def peopled(settings: FlowSettings | None = None, **fields: Any) -> Api:
    """A collection with Anna, Anne and Bob in it."""
    api = Api(settings=settings).make(**fields)
    assert api.enrol(["anna", "anne", "bob"], "anna", "anne", "bob").status_code == 201
    return api


def by_embedding(api: Api, values: Any, contract: str = "contract", **fields: Any) -> httpx.Response:
    body = {"embedding": {"contract": contract, "values": values}, **fields}
    return api.post(f"{SEARCH}/embedding", body)


def margin(expected: float) -> Any:
    return pytest.approx(expected, abs=1e-6)


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
        {"subject": name, "similarity": pytest.approx(similarity, abs=1e-6), "face_id": ids[name], "metadata": None}
        for name, similarity in (("bob", 1), ("anna", 1), ("anne", 0.9396926))
    )
    assert answer == {
        "photo": PHOTO,
        "faces_found": 3,
        "faces": [
            {**EMBEDDED, "candidates": [bob], "margin": margin(0.6579799), "no_match": None},
            {**EMBEDDED, "score": 0.98, "candidates": [anna, anne], "margin": margin(0.0603074), "no_match": None},
            {**EMBEDDED, "score": 0.97, "candidates": [], "margin": margin(0.9396926), "no_match": "below_threshold"},
        ],
        "threshold": CARD,
        "models": MODELS,
    }


def test_an_embedding_finds_what_its_photo_finds() -> None:
    api = peopled()
    [face] = api.send("/v1/embed", "anna-2").json()["faces"]
    response = by_embedding(api, face["embedding"]["values"])
    assert response.status_code == 200
    [searched] = api.send(SEARCH, "anna-2").json()["faces"]
    same = {name: searched[name] for name in ("candidates", "margin", "no_match")}
    assert response.json() == {**same, "threshold": CARD}


def test_candidates_are_limited_by_top_k_and_by_the_margin() -> None:
    api = peopled()
    [face] = api.send(SEARCH, "anna bob", top_k=1, max_faces=1).json()["faces"]
    for found in (face, by_embedding(api, [1, 0], top_k=1).json()):
        assert ([each["subject"] for each in found["candidates"]], found["margin"]) == (["anna"], margin(0.0603074))
    assert api.found("faceless") == []
    unclear, clear = api.send(SEARCH, "anna bob", min_margin=0.1).json()["faces"]
    assert (unclear["candidates"], unclear["no_match"]) == ([], "below_min_margin")
    assert ([each["subject"] for each in clear["candidates"]], clear["no_match"]) == (["bob"], None)
    by_values = by_embedding(api, [1, 0], top_k=1, min_margin=0.1).json()
    assert (by_values["candidates"], by_values["no_match"]) == ([], "below_min_margin")


@pytest.mark.parametrize(
    ("requested", "own", "value", "source", "found"),
    [
        (None, None, 0.95, "configuration", ["anna"]),
        (None, 0.9, 0.9, "collection", ["anna", "anne"]),
        (-1, 0.9, -1, "request", ["anna", "anne", "bob"]),
    ],
)
def test_the_threshold_is_the_first_that_is_set(
    requested: float | None, own: float | None, value: float, source: str, found: list[str]
) -> None:
    api = peopled(settings=FlowSettings(thresholds={"arcface": 0.95}), threshold=own)
    options: dict[str, Any] = {} if requested is None else {"threshold": requested}
    by_photo, embedded = api.send(SEARCH, "anna", **options).json(), by_embedding(api, [1, 0], **options).json()
    for answer, candidates in ((by_photo, by_photo["faces"][0]["candidates"]), (embedded, embedded["candidates"])):
        assert answer["threshold"] == {"value": value, "source": source}
        assert [candidate["subject"] for candidate in candidates] == found


def test_a_spoof_has_no_candidates_where_liveness_is_required() -> None:
    api = peopled()
    assert api.found("anna-spoof bob", liveness="report") == [["anna", "anne"], ["bob"]]
    answer = api.send(SEARCH, "anna-spoof bob", liveness="require").json()
    spoof, live = answer["faces"]
    assert spoof["liveness"] == {"live": False, "score": 0.125, "threshold": 0.5}
    assert (spoof["candidates"], spoof["margin"], spoof["no_match"]) == ([], None, "not_live")
    assert live["candidates"][0]["subject"] == "bob"
    assert answer["models"]["liveness"] == "liveness-model"


def test_the_collections_embedder_is_asked_and_no_other() -> None:
    api = staff(embedder="facenet")
    api.enrol("anna", "anna")
    answer = api.send(SEARCH, "anna").json()
    assert answer["models"]["embedder"] == "other-model"
    assert answer["threshold"] == {"value": 0.5, "source": "card"}
    assert by_embedding(api, [1, 0, 0], "contract-of-3").json()["candidates"][0]["subject"] == "anna"


def test_a_collection_whose_embedder_is_no_longer_configured_cannot_be_searched() -> None:
    api = peopled()
    api.client = client(stages_of(*(stage for stage in api.stages.all if stage.role != "arcface"), gallery=api.gallery))
    assert refusal(api.send(SEARCH, "anna")) == (422, "UNKNOWN_EMBEDDER")
    assert refusal(by_embedding(api, [1, 0])) == (422, "UNKNOWN_EMBEDDER")
