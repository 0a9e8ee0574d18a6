"""Enrolment of /v1, over fake networks and a real gallery in a folder."""

from typing import Any

import httpx
import pytest

from api.settings import LimitArgs
from tests.api.conftest import KeyedService
from tests.api.v1 import FACE, MODELS, STAFF, Api, message, refusal, staff

DARK = {"code": "FACE_TOO_DARK", "message": "The face is too dark: brightness 10 of 255"}


def counts(response: httpx.Response) -> dict[str, int]:
    """The number of photos of each status. Checks that the list and the status code agree with it."""
    answer = response.json()
    told = {status: answer[status] for status in ("enrolled", "already", "moved", "deleted", "refused")}
    listed = [photo["status"] for photo in answer["photos"]]
    assert told == {status: listed.count(status) for status in told}
    assert response.status_code == (201 if told["enrolled"] else 200)
    return {status: count for status, count in told.items() if count}


def embeddings(api: Api, *entries: tuple[str, Any], headers: Any = None, **fields: Any) -> httpx.Response:
    listed = [{"subject": subject, "values": values} for subject, values in entries]
    body = {"contract": "contract", "embeddings": listed, **fields}
    return api.client.post(f"{STAFF}/embeddings", json=body, headers=headers)


def test_a_face_that_is_new_is_a_201_and_the_same_photo_again_a_200(api: Api) -> None:
    response = api.enrol("anna", "anna")
    assert response.status_code == 201
    answer = response.json()
    face_id = answer["photos"][0].pop("face_id")
    assert len(face_id) == 32
    assert answer == {
        "enrolled": 1,
        "already": 0,
        "moved": 0,
        "deleted": 0,
        "refused": 0,
        "photos": [
            {
                "photo": 0,
                "label": "anna.jpg",
                "subject": "anna",
                "status": "enrolled",
                "error": None,
                "reasons": [],
                "duplicate": None,
                "faces_found": 1,
                "face": FACE,
            }
        ],
        "models": MODELS,
    }
    assert api.found("anna-2") == [["anna"]]
    assert api.get(f"{STAFF}/subjects/anna").json()["faces"][0]["face_id"] == face_id
    again = api.enrol("anna", "anna")
    assert counts(again) == {"already": 1}
    assert again.json()["photos"] == [{**answer["photos"][0], "face_id": face_id, "status": "already"}]


def test_refused_photos_are_reported_among_the_enrolled_ones_in_order() -> None:
    response = staff().enrol(["a", "b", "c"], "broken", "anna", "bob-dark")
    assert counts(response) == {"enrolled": 1, "refused": 2}
    broken, good, dark = response.json()["photos"]
    assert [(each["photo"], each["subject"], each["label"]) for each in (broken, good, dark)] == [
        *((0, "a", "broken.jpg"), (1, "b", "anna.jpg"), (2, "c", "bob-dark.jpg"))
    ]
    assert broken["error"] == {"code": "INVALID_IMAGE", "message": "The image is damaged"}
    assert (broken["faces_found"], broken["face"], broken["face_id"]) == (0, None, None)
    assert (dark["error"], dark["reasons"], dark["face_id"]) == (DARK, [DARK], None)
    assert dark["face"]["quality"]["brightness"] == 10


def test_a_request_whose_photos_are_all_refused_is_an_error_that_lists_them() -> None:
    response = staff().enrol("anna", "anna-dark-small", "faceless")
    assert refusal(response) == (422, "FACE_TOO_SMALL")
    error = response.json()["error"]
    assert error["details"].keys() == {"photos"}
    small, faceless = error["details"]["photos"]
    assert error["message"] == small["error"]["message"] == "The face's shorter side is 20 pixels; the minimum is 30"
    assert [reason["code"] for reason in small["reasons"]] == ["FACE_TOO_SMALL", "FACE_TOO_DARK"]
    assert small["status"] == faceless["status"] == "refused"
    assert faceless["error"]["code"] == "NO_FACE_DETECTED"


def test_a_file_that_is_too_large_is_cut_before_it_is_sent_to_the_detector() -> None:
    api = Api(LimitArgs(max_image_size=6)).make()
    api.enrol("x", "anna-large-and-larger")
    assert [[len(word) for word in call] for call in api.people.detected] == [[7]]


@pytest.mark.parametrize(
    ("charset", "name", "label"),
    [("utf-7", "+2AA-.jpg", "?.jpg"), ("utf-8", "x" * 400, "x" * 255), ("utf-8", "", ""), ("utf-8", "😀", "😀")],
    ids=range(4),
)
def test_a_label_is_a_files_name_without_what_is_not_text(api: Api, charset: str, name: str, label: str) -> None:
    parts = {'name="subject"': b"anna", f'name="photo"; filename="{name}"': b"anna"}
    body = b"".join(
        b"--x\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (head.encode(), value)
        for head, value in parts.items()
    )
    headers = {"content-type": f"multipart/form-data; boundary=x; charset={charset}"}
    response = api.client.post(f"{STAFF}/faces", content=body + b"--x--\r\n", headers=headers)
    assert [photo["label"] for photo in response.json()["photos"]] == [label]
    assert api.get(f"{STAFF}/subjects/anna").json()["faces"][0]["label"] == label


def test_the_options_reach_the_flow(api: Api) -> None:
    api.enrol("x", "bob")
    answer = api.enrol("x", "anna-spoof-dark carl", faces="all", liveness="report", quality="report", replace=True)
    photos = answer.json()["photos"]
    assert [(each["photo"], each["faces_found"], each["status"]) for each in photos] == [(0, 2, "enrolled")] * 2
    assert [reason["code"] for reason in photos[0]["reasons"]] == ["FACE_TOO_DARK", "NOT_LIVE"]
    assert photos[0]["face"]["liveness"] == {"live": False, "score": 0.125, "threshold": 0.5}
    assert answer.json()["models"]["liveness"] == "liveness-model"
    assert api.found("anna bob carl") == [["x"], [], ["x"]]
    refused = api.enrol(["anna", "carl"], "anna-spoof", "carl", liveness="require").json()["photos"][0]
    assert (refused["status"], refused["error"]["code"]) == ("refused", "NOT_LIVE")


def test_a_request_has_at_most_64_photos_and_one_subject_or_one_per_photo(api: Api) -> None:
    for subjects, photos in ((2, 1), (2, 3), (65, 64)):
        response = api.enrol([f"s{number}" for number in range(subjects)], *["anna"] * photos)
        assert refusal(response) == (400, "INVALID_REQUEST")
        assert message(response) == f"There are {subjects} subjects for {photos} photos; send one, or one per photo"
    photos_65 = [f"anna-{number}" for number in range(65)]
    response = api.enrol("anna", *photos_65)
    assert message(response) == "There are 65 photos; a request can have at most 64"
    assert api.people.detected == []
    assert counts(api.enrol("anna", *photos_65[:64])) == {"enrolled": 64}


@pytest.mark.parametrize("way", ["photos", "faces"])
def test_a_request_with_an_idempotency_key_is_recognised_when_it_is_repeated(api: Api, way: str) -> None:

    def send(key: str, *names: str) -> Any:
        headers = {"Idempotency-Key": key}
        if way == "photos":
            return api.enrol(list(names), *names, headers=headers)
        return embeddings(api, *((name, [1, 0]) for name in names), headers=headers)

    assert send("k", "anna", "bob").status_code == 201
    api.delete(f"{STAFF}/subjects/bob")
    again = send("k", "anna", "bob")
    assert (again.status_code, [each["status"] for each in again.json()[way]]) == (200, ["already", "deleted"])
    assert refusal(send("k", "carl")) == (409, "IDEMPOTENCY_KEY_REUSED")
    assert send("x" * 255, "carl").status_code == 201
    for unfit in ("", "x" * 256):
        assert refusal(send(unfit, "carl")) == (400, "INVALID_REQUEST")


def test_embeddings_are_enrolled_and_found_and_can_replace(api: Api) -> None:
    response = embeddings(api, ("anna", [3, 0]), ("bob", [0, 0.5]))
    assert response.status_code == 201
    answer = response.json()
    assert all(len(face.pop("face_id")) == 32 for face in answer["faces"])
    assert answer == {
        "enrolled": 2,
        "faces": [{"subject": name, "status": "enrolled", "duplicate": None} for name in ("anna", "bob")],
    }
    again = embeddings(api, ("anna", [3, 0]))
    assert (again.status_code, again.json()["faces"][0]["status"]) == (200, "already")
    listed = [{"subject": "bob", "values": [-1, 0], "label": "from the archive"}]
    body = {"contract": "contract", "embeddings": listed, "replace": True}
    assert api.post(f"{STAFF}/embeddings", body).status_code == 201
    [face] = api.get(f"{STAFF}/subjects/bob").json()["faces"]
    assert face["label"] == "from the archive"
    assert api.found("anna bob") == [["anna"], []]


def test_embeddings_are_enrolled_all_or_none_and_at_most_1000(api: Api) -> None:
    entries = [(f"s{number}", [1, 0]) for number in range(1001)]
    assert refusal(embeddings(api, ("anna", [1, 0]), ("bob", [1, 0, 0]))) == (422, "INVALID_EMBEDDING")
    assert refusal(embeddings(api, *entries)) == (400, "INVALID_REQUEST")
    assert api.subjects() == []
    assert embeddings(api, *entries[:1000]).json()["enrolled"] == 1000


def test_a_duplicate_by_the_collections_threshold_is_answered_with_the_subject() -> None:
    api = staff(threshold=0.9)
    [anna] = api.enrol("anna", "anna").json()["photos"]
    duplicate = {"subject": "anna", "face_id": anna["face_id"], "similarity": pytest.approx(0.9397, abs=1e-4)}
    refused, enrolled = api.enrol(["anne", "bob"], "anne", "bob", duplicate="refuse").json()["photos"]
    message = "The face resembles another subject: similarity 0.940"
    assert refused["error"] == {"code": "DUPLICATE_FACE", "message": message}
    assert (refused["duplicate"], enrolled["duplicate"]) == (duplicate, None)
    assert refusal(api.enrol("anne", "anne", duplicate="refuse")) == (422, "DUPLICATE_FACE")
    [reported] = api.enrol("anne", "anne", duplicate="report").json()["photos"]
    assert (reported["status"], reported["duplicate"]) == ("enrolled", duplicate)
    assert [reason["code"] for reason in reported["reasons"]] == ["DUPLICATE_FACE"]


def test_one_duplicate_refuses_all_embeddings(api: Api) -> None:
    embeddings(api, ("anna", [1, 0]))
    response = embeddings(api, ("bob", [0, 1]), ("anne", [1, 0]), duplicate="refuse")
    assert refusal(response) == (422, "DUPLICATE_FACE")
    assert message(response) == "embeddings.1: The face resembles another subject: similarity 1.000"
    [listed] = response.json()["error"]["details"]["duplicates"]
    assert (listed["embedding"], listed["subject"], api.subjects()) == (1, "anna", ["anna"])
    reported = embeddings(api, ("bob", [0, 1]), ("anne", [1, 0]), duplicate="report").json()["faces"]
    assert [face["duplicate"] and face["duplicate"]["subject"] for face in reported] == [None, "anna"]


def test_a_key_that_may_only_enrol_does_not_learn_which_subject_a_face_resembles(keyed: KeyedService) -> None:
    keyed.ask("PUT", STAFF, keyed.key(), json={})
    similarity = pytest.approx(1, abs=1e-6)
    for subject, headers, named in (("a", keyed.key(), None), ("b", keyed.key(), "a"), ("c", keyed.key("enrol"), None)):
        sent: dict[str, Any] = {"data": {"subject": subject}, "files": {"photo": b"anna"}}
        response = keyed.ask("POST", f"{STAFF}/faces", headers, params={"duplicate": "report"}, **sent)
        [photo] = response.json()["photos"]
        if subject != "a":
            assert (photo["duplicate"]["subject"], photo["duplicate"]["similarity"]) == (named, similarity)
            assert (photo["duplicate"]["face_id"] is None) == (named is None)
    assert "'a'" not in str(photo)
