"""Renaming and merging subjects of /v1. `tests/gallery/writing/test_renaming.py` tests what they do."""

from tests.api.v1 import STAFF, message, refusal, staff

RENAME, MERGE = f"{STAFF}/subjects/rename", f"{STAFF}/subjects/merge"


def test_a_renamed_subject_is_found_under_its_new_id() -> None:
    api = staff()
    face_id = api.enrol("..", "anna").json()["photos"][0]["face_id"]
    response = api.post(RENAME, {"subject": "..", "new": "anna"})
    assert (response.status_code, response.json()) == (200, {"moved_faces": 1})
    [[candidate]] = [face["candidates"] for face in api.send(f"{STAFF}/search", "anna").json()["faces"]]
    assert (candidate["subject"], candidate["face_id"]) == ("anna", face_id)
    again = api.enrol("..", "anna")
    assert (again.status_code, again.json()["moved"], again.json()["photos"][0]["status"]) == (200, 1, "moved")
    assert api.subjects() == ["anna"]


def test_merged_subjects_are_one() -> None:
    api = staff()
    for subject, photo in (("anna", "anna"), ("anne", "anne"), ("ann", "anna-2")):
        api.enrol(subject, photo)
    assert refusal(api.post(RENAME, {"subject": "anne", "new": "anna"})) == (409, "SUBJECT_EXISTS")
    assert refusal(api.post(MERGE, {"subjects": ["nobody"], "into": "anna"})) == (404, "SUBJECT_NOT_FOUND")
    assert refusal(api.post(MERGE, {"subjects": ["anna"], "into": "anna"})) == (422, "INVALID_SUBJECT")
    response = api.post(MERGE, {"subjects": ["anne", "ann"], "into": "anna"})
    assert (response.status_code, response.json()) == (200, {"moved_faces": 2})
    assert api.found("anna") == [["anna"]]
    assert "merge" in message(api.post(RENAME, {"subject": "anna", "new": "anna"}))
