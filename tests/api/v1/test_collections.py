"""Collections of /v1, over a real gallery in a folder."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.v1 import STAFF, Api, message, refusal, staff

STAFF_ANSWER = {
    "name": "staff",
    "embedder": "arcface",
    "model": "embedder-model",
    "embedding_contract": "contract",
    "embedding_dimensions": 2,
    "threshold": None,
}


def put(api: Api, name: str = "staff", body: Any = None) -> Any:
    return api.client.put(f"/v1/collections/{name}", json=body)


def is_now(text: str) -> bool:
    """Whether an answer's time is in UTC and within the last minute."""
    moment = datetime.fromisoformat(text)
    return text.endswith("Z") and timedelta(0) <= datetime.now(UTC) - moment < timedelta(minutes=1)


def test_a_new_collection_is_a_201_and_a_second_put_sets_its_threshold_and_keeps_its_faces() -> None:
    api = Api()
    response = put(api, body={"threshold": 0.5})
    assert response.status_code == 201
    created = response.json().pop("created")
    assert is_now(created)
    assert response.json() == {**STAFF_ANSWER, "threshold": 0.5, "created": created}
    api.enrol("anna", "anna")
    for threshold in (0.75, None):
        response = put(api, body={"threshold": threshold})
        assert response.status_code == 200
        assert response.json() == {**STAFF_ANSWER, "threshold": threshold, "created": created}
    assert api.found("anna") == [["anna"]]


@pytest.mark.parametrize("body", [None, {}, {"embedder": "facenet"}])
def test_an_existing_collection_keeps_what_a_request_leaves_out(body: Any) -> None:
    api = staff(embedder="facenet", threshold=-0.25)
    response = put(api, body=body)
    assert response.status_code == 200
    kind = {"embedder": "facenet", "model": "other-model", "embedding_contract": "contract-of-3"}
    assert response.json().items() >= {**kind, "embedding_dimensions": 3, "threshold": -0.25}.items()


def test_another_or_an_unknown_embedder_is_refused_and_changes_nothing() -> None:
    api = staff(threshold=0.5)
    other = put(api, body={"embedder": "facenet", "threshold": 0.9})
    assert refusal(other) == (409, "COLLECTION_EXISTS")
    assert message(other) == "Collection staff already exists, with embeddings of the model embedder-model"
    assert refusal(put(api, "other", {"embedder": "nobody"})) == (422, "UNKNOWN_EMBEDDER")
    [found] = api.get("/v1/collections").json()["collections"]
    assert is_now(found.pop("created"))
    assert found == {**STAFF_ANSWER, "threshold": 0.5}


@pytest.mark.parametrize("name", ["x" * 65, "-a", ".a", "_a", "a'b", "ä", "a%0A", "%00", "a%5Cb"])
def test_invalid_names(name: str) -> None:
    api = Api()
    path = f"/v1/collections/{name}"
    for response in (put(api, name), api.get(f"{path}/subjects"), api.send(f"{path}/search", "anna")):
        assert refusal(response) == (400, "INVALID_REQUEST")
        assert message(response).startswith("path.collection: ")


def test_a_collection_is_described_with_its_numbers(api: Api) -> None:
    before = api.get(STAFF).json()
    assert (before["faces"], before["subjects"]) == (0, 0)
    api.enrol(["anna", "anna", "bob"], "anna", "anna-2", "bob")
    found = api.get(STAFF).json()
    assert is_now(found.pop("created"))
    assert is_now(found["changed"])
    assert found.pop("changed") > before["changed"]
    assert found.pop("bytes") > before["bytes"]
    assert found == {**STAFF_ANSWER, "faces": 3, "subjects": 2}


def test_a_deleted_collection_is_gone_with_its_faces() -> None:
    api = staff().make("other")
    api.enrol("anna", "anna")
    response = api.delete(STAFF)
    assert refusal(response) == (409, "COLLECTION_NOT_EMPTY")
    assert message(response).endswith("; add with_faces=true to delete them too")
    assert refusal(api.delete(f"{STAFF}?with_faces=yes")) == (400, "INVALID_REQUEST")
    assert api.found("anna") == [["anna"]]
    response = api.delete(f"{STAFF}?with_faces=true")
    assert (response.status_code, response.json()) == (200, {"name": "staff"})
    assert [each["name"] for each in api.get("/v1/collections").json()["collections"]] == ["other"]
    api.make(embedder="facenet")
    assert api.found("anna") == [[]]


def test_an_unknown_collection_is_refused_before_a_photo_is_read() -> None:
    api = Api()
    for response in (api.enrol("anna", "anna"), api.send(f"{STAFF}/search", "anna")):
        assert refusal(response) == (404, "COLLECTION_NOT_FOUND")
    assert api.people.detected == []


def test_a_clean_up_reports_the_bytes_it_freed() -> None:
    api = staff().make("other")
    api.enrol("anna", "anna")
    api.delete(f"{STAFF}/subjects/anna")
    freed = api.client.post("/v1/gallery/clean").json()["freed_bytes"]
    assert (freed.keys(), freed["staff"] > 0) == ({"staff", "other"}, True)
