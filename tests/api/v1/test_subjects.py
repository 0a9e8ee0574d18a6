"""Subjects of /v1: their faces, names and metadata. `tests/gallery` tests what the changes do."""

from datetime import datetime
from typing import Any
from urllib.parse import quote

import pytest

from tests.api.v1 import STAFF, Api, refusal, staff
from tests.gallery.sample_gallery import HOSTILE

SUBJECTS = [
    *HOSTILE,
    *("a/b/c", "/leading", "trailing/", "//", "a/../b", "a", "a/", "A", "%2F", "%00", "\0.", "a\n", "a\r\nb"),
    *("?x=1&y=2#z", "a;b", "{subject}"),
]


def path(subject: str) -> str:
    # Starlette's client decodes a URL twice, a server once.
    return f"{STAFF}/subjects/{quote(subject.replace('%', '%25'), safe='')}"


def pages(api: Api, limit: int) -> list[str]:
    """Every subject of the collection, read a page at a time."""
    listed, after = list[str](), ""
    while True:
        page = api.get(f"{STAFF}/subjects", limit=limit, after=after).json()
        assert page["subjects"]
        listed += [each["id"] for each in page["subjects"]]
        after = page["next"]
        if after is None:
            return listed
        assert len(page["subjects"]) == limit
        assert after == listed[-1]


def test_any_text_is_a_subject(api: Api) -> None:
    answer = api.enrol(SUBJECTS, *(f"anna-{number}" for number in range(len(SUBJECTS))))
    assert answer.status_code == 201
    assert [photo["subject"] for photo in answer.json()["photos"]] == SUBJECTS
    [found] = api.found("anna", top_k=100)
    # With the second limit, one page contains all subjects and is full.
    assert sorted(found) == pages(api, 7) == pages(api, len(SUBJECTS)) == sorted(SUBJECTS)
    for done, subject in enumerate(SUBJECTS, 1):
        listed = api.get(path(subject))
        assert (listed.status_code, listed.json()["id"], len(listed.json()["faces"])) == (200, subject, 1)
        deleted = api.delete(path(subject))
        assert (deleted.status_code, deleted.json()) == (200, {"deleted_faces": 1})
        assert refusal(api.delete(path(subject))) == (404, "SUBJECT_NOT_FOUND")
        assert api.subjects() == sorted(SUBJECTS[done:])


@pytest.mark.parametrize("subject", ["😀" * 513, "\u200b\u00a0"], ids=["long", "blank"])
def test_an_invalid_subject_is_refused_before_a_photo_is_read(api: Api, subject: str) -> None:
    assert refusal(api.enrol(subject, "anna")) == (422, "INVALID_SUBJECT")
    assert api.people.detected == []


def test_an_empty_subject_in_a_path_is_not_the_list_of_subjects() -> None:
    assert refusal(staff().delete(f"{STAFF}/subjects/")) == (422, "INVALID_SUBJECT")


def test_many_subjects_are_deleted_at_once(api: Api) -> None:
    for subject in ("..", ".", "anna", "bob"):
        api.enrol(subject, "anna").raise_for_status()
    response = api.post(f"{STAFF}/subjects/delete", {"ids": ["..", ".", "anna", "nobody"]})
    assert (response.status_code, response.json()) == (200, {"deleted_faces": 3})
    assert api.subjects() == ["bob"]
    assert refusal(api.post(f"{STAFF}/subjects/delete", {"ids": []})) == (400, "INVALID_REQUEST")


def test_a_subject_has_its_faces_first_enrolled_first_and_each_can_be_deleted(api: Api) -> None:
    first, second = (api.enrol("x", photo).json()["photos"][0]["face_id"] for photo in ("anna", "bob"))
    response = api.get(path("x"))
    assert response.status_code == 200
    faces = response.json()["faces"]
    assert [(face["face_id"], face["label"]) for face in faces] == [(first, "anna.jpg"), (second, "bob.jpg")]
    assert datetime.fromisoformat(faces[0]["created"]).utcoffset() is not None
    response = api.delete(f"{STAFF}/faces/{first}")
    assert (response.status_code, response.json()) == (200, {"deleted_faces": 1})
    assert api.found("anna bob") == [[], ["x"]]
    for unknown in (first, "0" * 32, "x' OR 'a'='a", "%00", "ä"):
        assert refusal(api.delete(f"{STAFF}/faces/{unknown}")) == (404, "FACE_NOT_FOUND")
    api.delete(f"{STAFF}/faces/{second}")
    assert refusal(api.get(path("x"))) == (404, "SUBJECT_NOT_FOUND")


def test_the_list_has_the_number_of_faces_and_their_times(api: Api) -> None:
    api.enrol("anna", "anna")
    api.enrol(["anna", "bob"], "anna-2", "bob")
    anna, bob = api.get(f"{STAFF}/subjects").json()["subjects"]
    assert (anna["id"], anna["faces"], bob["id"], bob["faces"]) == ("anna", 2, "bob", 1)
    assert anna["first_enrolled"] < anna["last_enrolled"] == bob["first_enrolled"] == bob["last_enrolled"]
    assert refusal(api.get(f"{STAFF}/subjects", limit="1_0")) == (400, "INVALID_REQUEST")


RENAME, MERGE = f"{STAFF}/subjects/rename", f"{STAFF}/subjects/merge"


def test_a_renamed_subject_is_found_under_its_new_id(api: Api) -> None:
    face_id = api.enrol("..", "anna").json()["photos"][0]["face_id"]
    response = api.post(RENAME, {"subject": "..", "new": "anna"})
    assert (response.status_code, response.json()) == (200, {"moved_faces": 1})
    [[candidate]] = [face["candidates"] for face in api.send(f"{STAFF}/search", "anna").json()["faces"]]
    assert (candidate["subject"], candidate["face_id"]) == ("anna", face_id)
    again = api.enrol("..", "anna")
    assert (again.status_code, again.json()["moved"], again.json()["photos"][0]["status"]) == (200, 1, "moved")
    assert api.subjects() == ["anna"]


def test_merged_subjects_are_one(api: Api) -> None:
    for subject, photo in (("anna", "anna"), ("anne", "anne"), ("ann", "anna-2")):
        api.enrol(subject, photo)
    assert refusal(api.post(RENAME, {"subject": "anne", "new": "anna"})) == (409, "SUBJECT_EXISTS")
    assert refusal(api.post(MERGE, {"subjects": ["nobody"], "into": "anna"})) == (404, "SUBJECT_NOT_FOUND")
    response = api.post(MERGE, {"subjects": ["anne", "ann"], "into": "anna"})
    assert (response.status_code, response.json()) == (200, {"moved_faces": 2})
    assert api.found("anna") == [["anna"]]


ANNA = f"{STAFF}/subjects/anna"


def listed(api: Api) -> list[Any]:
    return [each["metadata"] for each in api.get(f"{STAFF}/subjects", metadata=True).json()["subjects"]]


def test_it_is_returned_with_the_subject_in_listings_on_request_and_with_candidates(api: Api) -> None:
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


def test_an_enrolment_sets_the_metadata_of_subjects_that_are_not_refused(api: Api) -> None:
    assert api.enrol(["anna", "bob"], "anna", "faceless", metadata='{"n": 1}').json()["refused"] == 1
    assert listed(api) == [{"n": 1}]
    key: dict[str, Any] = {"headers": {"Idempotency-Key": "k"}}
    assert api.enrol("bob", "bob", metadata='{"n": 2}', **key).status_code == 201
    assert refusal(api.enrol("bob", "bob", metadata='{"n": 3}', **key)) == (409, "IDEMPOTENCY_KEY_REUSED")
    assert listed(api) == [{"n": 1}, {"n": 2}]


def test_embeddings_are_enrolled_with_metadata_by_subject(api: Api) -> None:
    body = {"contract": "contract", "embeddings": [{"subject": "anna", "values": [1, 0]}]}
    assert api.post(f"{STAFF}/embeddings", {**body, "metadata": {"anna": {"n": 1}}}).status_code == 201
    assert listed(api) == [{"n": 1}]
    other = api.post(f"{STAFF}/embeddings", {**body, "metadata": {"bob": {}}})
    assert refusal(other) == (400, "INVALID_REQUEST")


def test_invalid_metadata_is_refused_before_a_photo_is_read(api: Api) -> None:
    assert refusal(api.enrol("anna", "anna", metadata="[]")) == (422, "INVALID_METADATA")
    assert api.people.detected == []
    api.enrol("anna", "anna")
    assert refusal(api.client.patch(ANNA, json={"metadata": {"a": "x" * 5000}})) == (422, "INVALID_METADATA")
    assert refusal(api.client.patch(ANNA, json={})) == (400, "INVALID_REQUEST")
    assert refusal(api.client.patch(f"{STAFF}/subjects/bob", json={"metadata": {}})) == (404, "SUBJECT_NOT_FOUND")
