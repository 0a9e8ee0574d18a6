"""The contract of the face database service, in both its variants, over a real gallery in a folder."""

import asyncio
import re
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from api.contracts import face_database
from api.settings import LimitArgs
from graphs.flow_settings import FlowSettings
from imaging.pick import Pick
from models.tasks.embedder import EmbedderOutput
from tests.fakes import FakeNetwork, People, changed, client, direction, with_stages
from tests.local_gallery import LocalGallery

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


class Database:
    """A client of the contract, as one of its variants; photos are words."""

    def __init__(self, variant: str | None = "arcface", limits: LimitArgs | None = None) -> None:
        self.people, self.gallery = People(), LocalGallery()
        self.stages = self.people.stages(self.gallery)
        self.client = client(self.stages, limits)
        self.said = {"model": variant} if variant else {}

    def post(self, path: str, photo: str, **form: str) -> httpx.Response:
        files = {"file": (f"{photo}.jpg", photo.encode())}
        return self.client.post(path, data={**form, **self.said}, files=files)

    def add(self, face_id: str, photo: str) -> httpx.Response:
        return self.post("/add_face", photo, id=face_id)

    def enrol(self, face_id: str, *photos: str) -> None:
        """Add further faces of an id by way of /v1."""
        files = [("photo", (f"{photo}.jpg", photo.encode())) for photo in photos]
        path = f"/v1/collections/faces-{self.said['model']}/faces"
        assert self.client.post(path, data={"subject": face_id}, files=files).status_code == 201

    def match(self, photo: str) -> httpx.Response:
        return self.post("/match_face", photo)

    def faces(self) -> list[str]:
        listed = self.client.get("/list_faces", params=self.said).json()
        assert listed["total_faces"] == len(listed["faces"])
        return [face["id"] for face in listed["faces"]]

    def delete(self, face_id: str) -> httpx.Response:
        # Starlette's client decodes a URL twice, a server once.
        path = quote(face_id.replace("%", "%25"), safe="")
        return self.client.delete(f"/delete_face/{path}", params=self.said)

    def stats(self) -> Any:
        return self.client.get("/stats", params=self.said).json()


def error(response: httpx.Response) -> tuple[int, str]:
    """Status and detail of an error, which has the contract's form."""
    body = response.json()
    assert body.keys() == {"detail"}
    return response.status_code, str(body["detail"])


def test_adding_a_face_returns_the_variants_fields() -> None:
    added = {"message": "Face added successfully", "id": "john_doe"}
    response = Database().add("john_doe", "anna")
    assert (response.status_code, response.json()) == (200, {**added, "embedding_size": 2, "total_faces": 1})
    # The facenet variant does not return the number of faces.
    assert Database("facenet").add("john_doe", "anna").json() == {**added, "embedding_size": 3}


@pytest.mark.parametrize(("variant", "threshold"), [("arcface", 0.75), ("facenet", 0.7)])
def test_a_match_returns_the_variants_fields(variant: str, threshold: float) -> None:
    database = Database(variant)
    for face_id in ("anne", "carl"):
        database.add(face_id, face_id)
    found, other = (database.match(photo).json() for photo in ("anna", "bob"))
    for answer, word in ((found, "very_high"), (other, "low")):
        assert answer.pop("threshold") == threshold
        if variant == "arcface":
            assert 0 < answer.pop("processing_time_ms") < 30_000
            assert answer.pop("confidence") == word
    similarity = pytest.approx(0.9396926, abs=1e-6)
    assert found == {"match_found": True, "matched_id": "anne", "similarity_score": similarity}
    similarity = pytest.approx(0.3420201, abs=1e-6)
    message = "No face match found above threshold"
    assert other == {"match_found": False, "similarity_score": similarity, "message": message}


@pytest.mark.parametrize(("degrees", "word"), [(25, "very_high"), (30, "high"), (40, "medium"), (50, "low")])
def test_confidence_is_a_word(degrees: float, word: str) -> None:
    database = Database()
    database.add("anna", "anna")
    arcface = changed(database.stages.networks["arcface"], answer=FakeNetwork([direction(degrees)]))
    database.client = client(with_stages(database.stages, arcface))
    assert database.match("anna").json()["confidence"] == word


@pytest.mark.parametrize(
    ("variant", "model", "size"), [("arcface", "embedder-model", 2), ("facenet", "other-model", 3)]
)
def test_an_empty_database(variant: str, model: str, size: int) -> None:
    database = Database(variant)
    assert database.match("anna").json()["similarity_score"] == 0
    assert error(database.delete("anna")) == (404, "Face with ID 'anna' not found")
    assert database.faces() == []
    stats = database.stats()
    assert isinstance(stats.pop("uptime_seconds"), int)
    described = {"model": model, "embedding_dimension": size, "database_size_mb": 0, "last_updated": None}
    assert stats == {"total_faces": 0, **described}
    database.add("anna", "anna")
    database.delete("anna")
    assert database.match("anna").json()["match_found"] is False


def test_ids_are_listed_with_their_times_and_counted_whatever_their_number_of_faces() -> None:
    database = Database(limits=LimitArgs(max_faces=3))
    database.add("anna", "anna")
    database.enrol("bob", "bob", "bob-2", "bob-3")
    assert database.add("carl", "carl").json()["total_faces"] == 3
    listed = database.client.get("/list_faces").json()
    assert (listed["total_faces"], [face["id"] for face in listed["faces"]]) == (3, ["anna", "bob", "carl"])
    assert all(ISO.fullmatch(face["added_date"]) for face in listed["faces"])
    assert database.stats()["total_faces"] == 3
    response = database.delete("bob")
    gone = {"message": "Face deleted successfully", "deleted_id": "bob", "remaining_faces": 2}
    assert (response.status_code, response.json()) == (200, gone)
    assert database.faces() == ["anna", "carl"]


def test_a_full_database_accepts_no_new_id_but_replaces_faces() -> None:
    database = Database(limits=LimitArgs(max_faces=2))
    database.add("a", "anna")
    database.enrol("a", "anna-2", "anna-3")
    assert database.add("b", "bob").status_code == 200
    assert error(database.add("c", "carl")) == (400, "The database already has the maximum of 2 faces")
    assert database.add("b", "carl").json()["total_faces"] == 2
    assert database.faces() == ["a", "b"]
    assert database.match("bob").json()["match_found"] is False
    assert database.match("carl").json()["matched_id"] == "b"
    database.delete("a")
    assert database.add("c", "dora").status_code == 200


def test_statistics_name_the_network_of_the_stored_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database()
    database.add("a", "anna")
    database.add("b", "bob")
    monkeypatch.setattr(face_database, "STARTED", face_database.STARTED - 3600)
    newer = changed(database.stages.networks["arcface"], name="newer-model", output=EmbedderOutput(size=5))
    database.client = client(with_stages(database.stages, newer))
    answer = database.stats()
    assert (answer["total_faces"], answer["model"], answer["embedding_dimension"]) == (2, "embedder-model", 2)
    assert 0 < answer["database_size_mb"] < 1
    assert answer["uptime_seconds"] >= 3600
    assert ISO.fullmatch(answer["last_updated"])


def test_the_variant_is_given_in_the_form_or_the_address_and_is_arcface_by_default() -> None:
    asked = Database(None)
    for form, query, size, threshold in (
        ({}, {}, 2, 0.75),
        ({"model": "facenet"}, {}, 3, 0.7),
        ({}, {"model": "FaceNet"}, 3, 0.7),
        ({"model": ""}, {"model": "ArcFace"}, 2, 0.75),
    ):
        files = {"file": b"anna"}
        added = asked.client.post("/add_face", data={"id": "a", **form}, files=files, params=query)
        assert added.json()["embedding_size"] == size
        found = asked.client.post("/match_face", data=form, files=files, params=query)
        assert found.json()["threshold"] == threshold


@pytest.mark.parametrize(
    ("variant", "setting"), [("arcface", "arcface_threshold"), ("facenet", "similarity_threshold")]
)
def test_the_threshold_is_the_collections_or_the_policys(variant: str, setting: str) -> None:
    database = Database(variant)
    database.add("anna", "anna")

    def asked(**settings: float) -> tuple[float, bool]:
        database.client = client(database.stages, settings=FlowSettings(**settings))  # type: ignore[arg-type]
        answer = database.match("anne").json()
        return answer["threshold"], answer["match_found"]

    others = {"arcface_threshold": 0.1, "similarity_threshold": 0.1}
    assert asked(**{**others, setting: 0.95}) == (0.95, False)
    assert asked(**{**others, setting: 0.0}) == (0, True)
    asyncio.run(database.gallery.set_threshold(f"faces-{variant}", 0.0))
    assert asked(**{setting: 0.95}) == (0, True)


def test_any_text_is_an_id() -> None:
    database = Database()
    for face_id in ("a/b", "../x", "%2F", "a\n", "a", "\0.", "?x#y", "😀", "x" * 512):
        assert database.add(face_id, "anna").json()["id"] == face_id
        assert database.delete(face_id).json()["deleted_id"] == face_id


def test_only_the_most_prominent_face_is_looked_for_and_no_gate_judges_it() -> None:
    database = Database()
    assert database.add("bob", "anna bob-large-dark carl").status_code == 200
    assert database.people.embedded == [["bob-large-dark"]]
    assert database.match("bob anna-large").json()["match_found"] is False
    assert database.people.picks == [Pick("prominent")] * 2


@pytest.mark.parametrize("path", ["/add_face", "/match_face"])
@pytest.mark.parametrize(
    ("data", "files"),
    [({}, None), ({"file": "text"}, None), ({}, {"file": ("", b"")}), ({}, {"photo": b"anna"})],
)
def test_a_request_without_a_file_gets_the_contracts_400(path: str, data: dict[str, str], files: Any) -> None:
    response = Database().client.post(path, data={"id": "a", **data}, files=files)
    assert error(response) == (400, "No file uploaded")


def test_an_id_that_is_missing_blank_or_too_long_is_a_400_and_no_network_is_asked() -> None:
    database = Database()
    assert error(database.client.post("/add_face", files={"file": b"anna"})) == (400, "No id given")
    assert error(database.client.post("/add_face", json={"id": "a"})) == (400, "No id given")
    assert error(database.add("", "anna")) == (400, "No id given")
    assert error(database.add("\u2003\t", "anna")) == (400, "Subject id must contain at least one visible character")
    assert database.people.detected == []
    assert error(database.add("x" * 513, "anna"))[0] == error(database.delete("x" * 513))[0] == 400


def test_a_photo_without_a_face_gets_the_contracts_500() -> None:
    database = Database()
    said = "Face detection failed. Please ensure the image contains a clear face."
    assert error(database.add("a", "faceless")) == error(database.match("faceless")) == (500, said)
    assert database.faces() == []


def test_an_unknown_or_repeated_variant_is_a_400() -> None:
    asked = Database("VGG-Face")
    said = (400, "model must be arcface or facenet, not vgg-face")
    assert error(asked.add("a", "anna")) == error(asked.match("anna")) == error(asked.delete("a")) == said
    for path in ("/list_faces", "/stats"):
        assert error(asked.client.get(path, params=asked.said)) == said
    twice = (400, "model is in both the form and the query; send it once")
    for path in ("/add_face?model=arcface", "/match_face?model=arcface"):
        assert error(Database("facenet").post(path, "anna", id="a")) == twice
