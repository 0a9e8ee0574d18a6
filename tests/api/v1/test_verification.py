"""Comparing with one subject of /v1, over fake networks and a real gallery in a folder."""

from typing import Any

import httpx
import pytest

from tests.api.v1 import EMBEDDED, MODELS, PHOTO, STAFF, Api, refusal, staff

VERIFY = f"{STAFF}/verify"


def peopled() -> Api:
    """A collection with two photos of Anna and one of Bob."""
    api = staff()
    assert api.enrol(["anna", "anna", "bob"], "anna", "anne", "bob").status_code == 201
    return api


def by_photo(api: Api, subject: str, photo: str, **options: Any) -> httpx.Response:
    return api.client.post(VERIFY, data={"subject": subject}, files={"photo": photo.encode()}, params=options)


def by_embedding(api: Api, subject: str, values: Any, contract: str = "contract", **fields: Any) -> httpx.Response:
    return api.post(
        f"{VERIFY}/embedding", {"subject": subject, "embedding": {"contract": contract, "values": values}, **fields}
    )


def test_the_subjects_most_similar_face_decides() -> None:
    api = peopled()
    faces = {face["label"]: face["face_id"] for face in api.get(f"{STAFF}/subjects/anna").json()["faces"]}
    response = by_photo(api, "anna", "anne-2")
    assert response.status_code == 200
    answer = response.json()
    assert answer.pop("timings_ms").keys() == {"detection", "networks", "total"}
    decision = {
        "subject": "anna",
        "match": True,
        "similarity": pytest.approx(1, abs=1e-6),
        "face_id": faces["anne.jpg"],
        "threshold": {"value": 0.4, "source": "card"},
    }
    assert answer == {**decision, "photo": PHOTO, "faces_found": 1, "face": EMBEDDED, "models": MODELS}
    [face] = api.send("/v1/embed", "anne-2").json()["faces"]
    assert by_embedding(api, "anna", face["embedding"]["values"]).json() == decision


def test_the_threshold_of_the_request_is_reached_or_not() -> None:
    api = peopled()
    similarity = by_embedding(api, "bob", [0.5, 0.5]).json()["similarity"]
    for threshold, match in ((similarity, True), (similarity + 1e-6, False)):
        answer = by_embedding(api, "bob", [0.5, 0.5], threshold=threshold).json()
        assert (answer["match"], answer["threshold"]["source"]) == (match, "request")


def test_a_spoof_is_no_match_where_liveness_is_required() -> None:
    api = peopled()
    for policy, match in (("report", True), ("require", False)):
        answer = by_photo(api, "anna", "anna-spoof", liveness=policy).json()
        assert (answer["match"], answer["face"]["liveness"]["live"]) == (match, False)


def test_with_the_rule_all_the_most_similar_face_of_the_photo_is_compared() -> None:
    answer = by_photo(peopled(), "bob", "carl bob anna", faces="all").json()
    assert (answer["match"], answer["faces_found"], answer["face"]["score"]) == (True, 3, 0.98)


def test_what_cannot_be_compared_is_refused() -> None:
    api = peopled()
    assert refusal(by_photo(api, "carl", "carl")) == (404, "SUBJECT_NOT_FOUND")
    assert refusal(by_embedding(api, "carl", [1, 0])) == (404, "SUBJECT_NOT_FOUND")
    assert refusal(by_embedding(api, "x" * 513, [1, 0])) == (422, "INVALID_SUBJECT")
    assert refusal(by_embedding(api, "anna", [1, 0], "contract-of-3")) == (409, "EMBEDDING_CONTRACT_MISMATCH")
    assert refusal(by_photo(api, "anna", "faceless")) == (422, "NO_FACE_DETECTED")
    assert refusal(by_photo(api, "anna", "anna bob", faces="one")) == (422, "MULTIPLE_FACES_DETECTED")
