"""Metadata of subjects in /v1. `tests/gallery/storage/test_metadata.py` tests its bounds and how it changes."""

from typing import Any

from tests.api.v1 import STAFF, Api, refusal, staff

ANNA = f"{STAFF}/subjects/anna"


def enrol(api: Api, subject: list[str], *photos: str, metadata: str | None = None, **headers: str) -> Any:
    files = [("photo", (f"{words}.jpg", words.encode())) for words in photos]
    data = {"subject": subject, **({} if metadata is None else {"metadata": metadata})}
    return api.client.post(f"{STAFF}/faces", data=data, files=files, headers=headers)


def listed(api: Api) -> list[Any]:
    return [each["metadata"] for each in api.get(f"{STAFF}/subjects", metadata=True).json()["subjects"]]


def test_it_is_returned_with_the_subject_in_listings_on_request_and_with_candidates() -> None:
    api = staff()
    api.enrol(["anna", "bob"], "anna", "bob")
    assert api.get(ANNA).json()["metadata"] is None
    response = api.client.patch(ANNA, json={"metadata": {"team": ["é", 1]}})
    assert (response.status_code, response.json()) == (200, {"id": "anna", "metadata": {"team": ["é", 1]}})
    assert api.get(ANNA).json()["metadata"] == {"team": ["é", 1]}
    assert listed(api) == [{"team": ["é", 1]}, None]
    assert [each["metadata"] for each in api.get(f"{STAFF}/subjects").json()["subjects"]] == [None, None]
    found = api.send(f"{STAFF}/search", "anna bob").json()["faces"]
    assert [face["candidates"][0]["metadata"] for face in found] == [{"team": ["é", 1]}, None]
    api.client.patch(ANNA, json={"metadata": None})
    assert listed(api) == [None, None]


def test_an_enrolment_sets_the_metadata_of_subjects_that_are_not_refused() -> None:
    api = staff()
    assert enrol(api, ["anna", "bob"], "anna", "nobody", metadata='{"n": 1}').json()["refused"] == 1
    assert listed(api) == [{"n": 1}]
    key = {"Idempotency-Key": "k"}
    assert enrol(api, ["bob"], "bob", metadata='{"n": 2}', **key).status_code == 201
    assert refusal(enrol(api, ["bob"], "bob", metadata='{"n": 3}', **key)) == (409, "IDEMPOTENCY_KEY_REUSED")
    assert listed(api) == [{"n": 1}, {"n": 2}]


def test_embeddings_are_enrolled_with_metadata_by_subject() -> None:
    api = staff()
    body = {"contract": "contract", "embeddings": [{"subject": "anna", "values": [1, 0]}]}
    assert api.post(f"{STAFF}/embeddings", {**body, "metadata": {"anna": {"n": 1}}}).status_code == 201
    assert listed(api) == [{"n": 1}]
    other = api.post(f"{STAFF}/embeddings", {**body, "metadata": {"bob": {}}})
    assert refusal(other) == (400, "INVALID_REQUEST")


def test_invalid_metadata_is_refused_before_a_photo_is_read() -> None:
    api = staff()
    assert refusal(enrol(api, ["anna"], "anna", metadata="[]")) == (422, "INVALID_METADATA")
    assert api.people.detected == []
    api.enrol("anna", "anna")
    assert refusal(api.client.patch(ANNA, json={"metadata": {"a": "x" * 5000}})) == (422, "INVALID_METADATA")
    assert refusal(api.client.patch(ANNA, json={})) == (400, "INVALID_REQUEST")
    assert refusal(api.client.patch(f"{STAFF}/subjects/bob", json={"metadata": {}})) == (404, "SUBJECT_NOT_FOUND")
