"""The contract of the face database service (seed 001), in both its variants."""

import asyncio
import re
from typing import Any

import pytest

from api.contracts import face_database
from api.settings import LimitArgs
from graphs.policy import Policy
from imaging.pick import Pick
from models.tasks.embedder import EmbedderOutput
from tests.api.face_database import Database, error
from tests.fakes import FakeNetwork, changed, client, direction, with_stages

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
VARIANTS = ("arcface", "facenet")


def test_adding_a_face_answers_the_variants_fields() -> None:
    added = {"message": "Face added successfully", "id": "john_doe"}
    database = Database()
    response = database.add("john_doe", "anna")
    assert (response.status_code, response.json()) == (200, {**added, "embedding_size": 2, "total_faces": 1})
    assert database.add("jane_smith", "bob").json()["total_faces"] == 2
    # The facenet variant does not count.
    assert Database("facenet").add("john_doe", "anna").json() == {**added, "embedding_size": 3}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_match_answers_the_variants_fields(variant: str) -> None:
    database = Database(variant)
    for face_id in ("anne", "anna", "carl"):
        database.add(face_id, face_id)
    arcface, threshold = variant == "arcface", {"arcface": 0.75, "facenet": 0.7}[variant]

    def matched(photo: str, word: str) -> Any:
        response = database.match(photo)
        assert response.status_code == 200
        answer = response.json()
        if arcface:
            assert 0 < answer.pop("processing_time_ms") < 30_000
            assert answer.pop("confidence") == word
        assert answer.pop("threshold") == threshold
        return answer

    similarity = pytest.approx(1, abs=1e-6)
    assert matched("anna-2", "very_high") == {
        "match_found": True,
        "matched_id": "anna",
        "similarity_score": similarity,
    }
    database.delete("anna")
    similarity = pytest.approx(0.9396926, abs=1e-6)
    assert matched("anna", "very_high") == {"match_found": True, "matched_id": "anne", "similarity_score": similarity}
    assert matched("bob", "low") == {
        "match_found": False,
        "similarity_score": pytest.approx(0.3420201, abs=1e-6),
        "message": "No face match found above threshold",
    }


@pytest.mark.parametrize(
    ("degrees", "word"), [(0, "very_high"), (25, "very_high"), (30, "high"), (40, "medium"), (50, "low")]
)
def test_confidence_is_a_word(degrees: float, word: str) -> None:
    database = Database()
    database.add("anna", "anna")
    arcface = changed(database.stages.networks["arcface"], answer=FakeNetwork([direction(degrees)]))
    database.client = client(with_stages(database.stages, arcface))
    assert database.match("anna").json()["confidence"] == word


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_empty_database(variant: str) -> None:
    database = Database(variant)
    assert database.match("anna").json()["similarity_score"] == 0
    assert error(database.delete("anna"))[0] == 404
    assert database.faces() == []
    stats = database.stats()
    assert isinstance(stats.pop("uptime_seconds"), int)
    model, size = {"arcface": ("embedder-model", 2), "facenet": ("other-model", 3)}[variant]
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
    assert (listed.keys(), listed["total_faces"]) == ({"total_faces", "faces"}, 3)
    assert [face["id"] for face in listed["faces"]] == ["anna", "bob", "carl"]
    for face in listed["faces"]:
        assert face.keys() == {"id", "added_date"}
        assert ISO.fullmatch(face["added_date"])
    assert database.stats()["total_faces"] == 3
    response = database.delete("bob")
    gone = {"message": "Face deleted successfully", "deleted_id": "bob", "remaining_faces": 2}
    assert (response.status_code, response.json()) == (200, gone)
    assert database.faces() == ["anna", "carl"]


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


def test_the_variants_have_a_database_each() -> None:
    arcface, facenet = Database("arcface"), Database("facenet")
    facenet.client = arcface.client
    arcface.add("anna", "anna")
    facenet.add("bob", "bob")
    assert (arcface.faces(), facenet.faces()) == (["anna"], ["bob"])
    assert arcface.match("bob").json()["match_found"] is False
    assert error(facenet.delete("anna"))[0] == 404
    assert [arcface.stats()["total_faces"], facenet.stats()["embedding_dimension"]] == [1, 3]


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


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_same_id_again_replaces_its_face(variant: str) -> None:
    database = Database(variant)
    database.add("x", "anna")
    before = database.client.get("/list_faces", params=database.said).json()["faces"][0]["added_date"]
    assert database.add("x", "bob").json().get("total_faces", 1) == 1
    assert database.faces() == ["x"]
    assert database.match("anna").json()["match_found"] is False
    assert database.match("bob").json()["matched_id"] == "x"
    assert database.client.get("/list_faces", params=database.said).json()["faces"][0]["added_date"] >= before


@pytest.mark.parametrize(("variant", "other"), [VARIANTS, VARIANTS[::-1]])
def test_the_threshold_is_the_collections_or_the_policys_or_the_contracts(variant: str, other: str) -> None:
    own, setting = {"arcface": 0.75, "facenet": 0.7}[variant], {"arcface": "arcface", "facenet": "similarity"}
    database = Database(variant)
    database.add("anna", "anna")

    def asked(**policy: float) -> tuple[float, bool]:
        database.client = client(database.stages, policy=Policy(**policy))  # type: ignore[arg-type]
        answer = database.match("anne").json()
        return answer["threshold"], answer["match_found"]

    assert asked() == (own, True)
    assert asked(**{f"{setting[variant]}_threshold": 0.95}) == (0.95, False)
    assert asked(**{f"{setting[variant]}_threshold": 0.0}) == (0, True)
    assert asked(**{f"{setting[other]}_threshold": 0.95}) == (own, True)
    asyncio.run(database.gallery.set_threshold(f"faces-{variant}", 0.94))
    assert asked(**{f"{setting[variant]}_threshold": 0.5}) == (0.94, False)
    asyncio.run(database.gallery.set_threshold(f"faces-{variant}", 0.0))
    assert asked(**{f"{setting[variant]}_threshold": 0.95}) == (0, True)


def test_any_text_is_an_id() -> None:
    database = Database()
    ids = ["a/b", "../x", "'; --", "%2F", "a\n", "a", "\0.", "?x#y", "😀", "x" * 512]
    for face_id in ids:
        assert database.add(face_id, "anna").json()["id"] == face_id
    assert database.faces() == sorted(ids)
    for done, face_id in enumerate(ids, 1):
        assert database.delete(face_id).json()["deleted_id"] == face_id
        assert database.faces() == sorted(ids[done:])
    assert error(database.delete("a/b")) == (404, "Face with ID 'a/b' not found")


def test_only_the_most_prominent_face_is_looked_for_and_no_gate_judges_it() -> None:
    database = Database()
    assert database.add("bob", "anna bob-large-dark carl").status_code == 200
    assert database.people.embedded == [["bob-large-dark"]]
    assert database.match("bob anna-large").json()["match_found"] is False
    assert database.people.picks == [Pick("prominent")] * 2
