"""The contract of the face database service (seed 001): what it answers, and its two variants."""

import asyncio
import re
from dataclasses import replace

import pytest

from api.contracts import face_database
from gallery.records import EmbeddingKind
from graphs.policy import Policy
from imaging.pick import Pick
from tests.api.face_database import Database, error
from tests.fakes import FakeNetwork, client, direction

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
VARIANTS = ("arcface", "facenet")
SIZES = {"arcface": 2, "facenet": 3}


def test_arcface_says_what_was_added_and_how_many_there_are() -> None:
    database = Database()
    response = database.add("john_doe", "anna")
    assert response.status_code == 200
    added = {"message": "Face added successfully", "id": "john_doe", "embedding_size": 2, "total_faces": 1}
    assert response.json() == added
    assert database.add("jane_smith", "bob").json()["total_faces"] == 2


def test_facenet_says_what_was_added_and_does_not_count() -> None:
    response = Database("facenet").add("john_doe", "anna")
    assert response.status_code == 200
    assert response.json() == {"message": "Face added successfully", "id": "john_doe", "embedding_size": 3}


def test_arcface_tells_the_match_with_its_confidence_and_time() -> None:
    database = Database()
    database.add("jane_smith", "anna")
    response = database.match("anne")
    assert response.status_code == 200
    answer = response.json()
    assert 0 < answer.pop("processing_time_ms") < 30_000
    assert answer == {
        "match_found": True,
        "matched_id": "jane_smith",
        "similarity_score": pytest.approx(0.9396926, abs=1e-6),
        "confidence": "very_high",
        "threshold": 0.75,
    }


def test_arcface_tells_that_nobody_matches() -> None:
    database = Database()
    database.add("jane_smith", "bob")
    answer = database.match("anne").json()
    assert answer.pop("processing_time_ms") > 0
    assert answer == {
        "match_found": False,
        "similarity_score": pytest.approx(0.3420201, abs=1e-6),
        "confidence": "low",
        "threshold": 0.75,
        "message": "No face match found above threshold",
    }


def test_facenet_tells_the_match_in_its_own_fields() -> None:
    database = Database("facenet")
    database.add("john_doe", "anna")
    assert database.match("anne").json() == {
        "match_found": True,
        "matched_id": "john_doe",
        "similarity_score": pytest.approx(0.9396926, abs=1e-6),
        "threshold": 0.7,
    }
    assert database.match("bob").json() == {
        "match_found": False,
        "similarity_score": pytest.approx(0, abs=1e-6),
        "threshold": 0.7,
        "message": "No face match found above threshold",
    }


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_best_match_is_told(variant: str) -> None:
    database = Database(variant)
    for face_id in ("anne", "anna", "bob"):
        database.add(face_id, face_id)
    for face_id in ("anna", "anne", "bob"):
        assert database.match(f"{face_id}-2").json()["matched_id"] == face_id


@pytest.mark.parametrize(
    ("degrees", "word"), [(0, "very_high"), (25, "very_high"), (30, "high"), (40, "medium"), (50, "low")]
)
def test_confidence_is_a_word(degrees: float, word: str) -> None:
    database = Database()
    database.add("anna", "anna")
    arcface = replace(database.stages.embedders["arcface"], embed=FakeNetwork([direction(degrees)]))
    database.client = client(replace(database.stages, embedders={"arcface": arcface}))
    assert database.match("anna").json()["confidence"] == word


@pytest.mark.parametrize("variant", VARIANTS)
def test_in_an_empty_database_nobody_matches(variant: str) -> None:
    database = Database(variant)
    answer = database.match("anna").json()
    assert (answer["match_found"], answer["similarity_score"]) == (False, 0)
    assert database.client.get("/list_faces", params=database.said).json() == {"total_faces": 0, "faces": []}
    stats = database.stats()
    assert stats.pop("uptime_seconds") >= 0
    assert stats == {
        "total_faces": 0,
        "model": {"arcface": "embedder-model", "facenet": "other-model"}[variant],
        "embedding_dimension": SIZES[variant],
        "database_size_mb": 0,
        "last_updated": None,
    }
    assert error(database.delete("anna"))[0] == 404
    database.add("anna", "anna")
    database.delete("anna")
    assert database.match("anna").json()["match_found"] is False
    assert database.stats()["total_faces"] == 0


def test_the_list_has_every_face_with_its_time() -> None:
    database = Database()
    for face_id, photo in (("john_doe", "anna"), ("jane_smith", "bob")):
        database.add(face_id, photo)
    response = database.client.get("/list_faces")
    assert response.status_code == 200
    answer = response.json()
    assert answer.keys() == {"total_faces", "faces"}
    assert answer["total_faces"] == 2
    assert [face["id"] for face in answer["faces"]] == ["jane_smith", "john_doe"]
    for face in answer["faces"]:
        assert face.keys() == {"id", "added_date"}
        assert ISO.fullmatch(face["added_date"])


def test_a_face_that_was_deleted_is_gone() -> None:
    database = Database()
    database.add("jane_smith", "anna")
    database.add("john_doe", "bob")
    response = database.delete("jane_smith")
    assert response.status_code == 200
    gone = {"message": "Face deleted successfully", "deleted_id": "jane_smith", "remaining_faces": 1}
    assert response.json() == gone
    assert database.faces() == ["john_doe"]
    assert database.match("anna").json()["match_found"] is False


def test_every_route_counts_ids_however_many_faces_each_has() -> None:
    database = Database()
    database.add("anna", "anna")
    database.enrol("bob", "bob", "bob-2", "bob-3")
    assert database.add("carl", "carl").json()["total_faces"] == 3
    assert database.faces() == ["anna", "bob", "carl"]
    assert database.stats()["total_faces"] == 3
    assert database.delete("anna").json()["remaining_faces"] == 2
    assert database.delete("bob").json()["remaining_faces"] == 1


def test_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database()
    database.add("a", "anna")
    database.add("b", "bob")
    monkeypatch.setattr(face_database, "STARTED", face_database.STARTED - 3600)
    response = database.client.get("/stats")
    assert response.status_code == 200
    answer = response.json()
    fields = "total_faces model embedding_dimension database_size_mb uptime_seconds last_updated"
    assert answer.keys() == set(fields.split())
    assert (answer["total_faces"], answer["model"], answer["embedding_dimension"]) == (2, "embedder-model", 2)
    assert 0 < answer["database_size_mb"] < 1
    assert isinstance(answer["uptime_seconds"], int)
    assert answer["uptime_seconds"] >= 3600
    assert ISO.fullmatch(answer["last_updated"])


def test_statistics_name_the_network_of_the_stored_faces() -> None:
    database = Database()
    before = EmbeddingKind("arcface", "model-before", "contract-before", 5)
    asyncio.run(database.gallery.create("faces-arcface", before, None))
    answer = database.stats()
    assert (answer["model"], answer["embedding_dimension"]) == ("model-before", 5)


def test_the_variants_have_a_database_each() -> None:
    arcface, facenet = Database("arcface"), Database("facenet")
    facenet.client = arcface.client
    arcface.add("anna", "anna")
    facenet.add("bob", "bob")
    assert (arcface.faces(), facenet.faces()) == (["anna"], ["bob"])
    assert arcface.match("bob").json()["match_found"] is False
    assert facenet.match("bob").json()["matched_id"] == "bob"
    assert error(facenet.delete("anna"))[0] == 404
    assert [arcface.stats()["total_faces"], facenet.stats()["embedding_dimension"]] == [1, 3]


def test_the_variant_stands_in_the_form_or_the_address_or_is_arcface() -> None:
    asked = Database(None)
    post, files = asked.client.post, {"file": b"anna"}
    sizes = [
        post("/add_face", data={"id": "a", **form}, files=files, params=query).json()["embedding_size"]
        for form, query in (
            ({}, {}),
            ({"model": "facenet"}, {}),
            ({}, {"model": "facenet"}),
            ({}, {"model": "FaceNet"}),
            ({"model": ""}, {"model": "ArcFace"}),
        )
    ]
    assert sizes == [2, 3, 3, 3, 2]
    thresholds = [
        post("/match_face", data=form, files=files, params=query).json()["threshold"]
        for form, query in (({}, {}), ({"model": "facenet"}, {}), ({}, {"model": "facenet"}))
    ]
    assert thresholds == [0.75, 0.7, 0.7]


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


def test_the_policys_thresholds_have_the_contracts_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMILARITY_THRESHOLD", "0.8")
    monkeypatch.setenv("ARCFACE_THRESHOLD", "0.9")
    for variant, threshold in (("facenet", 0.8), ("arcface", 0.9)):
        assert Database(variant).match("anna").json()["threshold"] == threshold


def test_any_text_is_an_id() -> None:
    database = Database()
    ids = ["a/b", "/", "../x", "'", "''; --", '"', "%2F", "a\n", "a", "\n.", "\0.", "?x#y", "😀", "x" * 512]
    for face_id in ids:
        assert database.add(face_id, "anna").json()["id"] == face_id
    assert database.faces() == sorted(ids)
    for done, face_id in enumerate(ids, 1):
        assert database.delete(face_id).json()["deleted_id"] == face_id
        assert database.faces() == sorted(ids[done:])
        assert error(database.delete(face_id)) == (404, f"Face with ID '{face_id}' not found")


def test_of_several_faces_the_most_prominent_counts() -> None:
    database = Database()
    database.add("bob", "anna bob-large carl")
    assert database.people.embedded == [["bob-large"]]
    assert database.match("dora bob-large anna").json()["matched_id"] == "bob"
    assert database.match("bob anna-large").json()["match_found"] is False


def test_no_more_than_the_most_prominent_face_is_looked_for() -> None:
    database = Database()
    database.add("john_doe", "anna")
    database.match("anna")
    assert database.people.picks == [Pick("prominent")] * 2


def test_a_poor_photo_is_added_as_the_contract_knows_no_gate() -> None:
    assert Database().add("a", "anna-dark-small-aside").status_code == 200
