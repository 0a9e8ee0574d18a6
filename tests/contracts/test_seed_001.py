"""The clients of the face database service (seed 001), against the real one: its two variants are one service here."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.contracts import nobody, png, with_bystander


@dataclass(frozen=True)
class Database:
    """One variant, as a client chooses it: `model` in the form or in the address, or nowhere."""

    service: httpx.Client
    variant: str = "arcface"
    form: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)

    def add_face(self, face_id: str, photo: bytes) -> httpx.Response:
        """`curl -X POST .../add_face -F "id=john_doe" -F "file=@path/to/john.jpg"`."""
        data = {"id": face_id, **self.form}
        return self.service.post(
            "/add_face", data=data, files={"file": ("john.jpg", photo, "image/jpeg")}, params=self.query
        )

    def match_face(self, photo: bytes) -> httpx.Response:
        """`curl -X POST .../match_face -F "file=@path/to/query.jpg"`."""
        files = {"file": ("query.jpg", photo, "image/jpeg")}
        return self.service.post("/match_face", data=self.form, files=files, params=self.query)

    def found(self, photo: bytes) -> Any:
        response = self.match_face(photo)
        assert response.status_code == 200
        return response.json()

    def ids(self) -> list[str]:
        """`curl -X GET .../list_faces`."""
        response = self.service.get("/list_faces", params={"model": self.variant})
        assert response.status_code == 200
        listed = response.json()
        assert listed.keys() == {"total_faces", "faces"}
        assert listed["total_faces"] == len(listed["faces"])
        return [face["id"] for face in listed["faces"]]

    def delete_face(self, face_id: str) -> httpx.Response:
        """`curl -X DELETE .../delete_face/jane_smith`."""
        return self.service.delete(f"/delete_face/{quote(face_id, safe='')}", params={"model": self.variant})

    def stats(self) -> Any:
        """`curl -X GET .../stats`."""
        response = self.service.get("/stats", params={"model": self.variant})
        assert response.status_code == 200
        return response.json()


def emptied(base: Database) -> Iterator[Database]:
    """A database that is empty before and after a test."""
    assert base.ids() == []
    yield base
    for face_id in base.ids():
        assert base.delete_face(face_id).status_code == 200


@pytest.fixture(
    params=[
        ("arcface", {}, {}),
        ("arcface", {"model": "arcface"}, {}),
        ("facenet", {"model": "facenet"}, {}),
        ("facenet", {}, {"model": "facenet"}),
    ],
    ids=["arcface", "arcface-form", "facenet-form", "facenet-query"],
)
def database(service: httpx.Client, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A variant's database."""
    yield from emptied(Database(service, *request.param))


@pytest.fixture
def arcface(service: httpx.Client) -> Iterator[Database]:
    """The database of the second variant, where no request names one."""
    yield from emptied(Database(service))


def batch_add_faces(service: httpx.Client, image_folder: str) -> list[str]:
    """The document's batch script, with what it prints."""
    printed = []
    for filename in os.listdir(image_folder):
        if filename.lower().endswith((".jpg", ".jpeg", ".png")):
            face_id = os.path.splitext(filename)[0]
            with open(os.path.join(image_folder, filename), "rb") as f:
                files = {"file": f}
                data = {"id": face_id}
                response = service.post("/add_face", files=files, data=data)
                printed.append(f"Added {face_id}: {response.status_code}")
    return printed


def moment(said: str) -> datetime:
    """A time as the document writes it: ISO 8601 with a Z."""
    assert said.endswith("Z")
    return datetime.fromisoformat(said)


def test_a_face_is_added_as_documented(database: Database, mindy: bytes) -> None:
    response = database.add_face("john_doe", mindy)
    assert response.status_code == 200
    told: dict[str, Any] = {"message": "Face added successfully", "id": "john_doe"}
    if database.variant == "facenet":
        assert response.json() == told | {"embedding_size": 128}
    else:
        assert response.json() == told | {"embedding_size": 192, "total_faces": 1}
    assert database.ids() == ["john_doe"]


def test_a_match_is_found_as_documented(database: Database, mindy: bytes, jerry: bytes) -> None:
    database.add_face("john_doe", jerry)
    database.add_face("jane_smith", mindy)
    for photo, face_id in ((mindy, "jane_smith"), (jerry, "john_doe")):
        found = database.found(photo)
        assert 0.99 < found.pop("similarity_score") < 1.001
        if database.variant == "arcface":
            assert found.pop("confidence") == "very_high"
            assert 0 < found.pop("processing_time_ms") < 30_000
        threshold = {"facenet": 0.7, "arcface": 0.75}[database.variant]
        assert found == {"match_found": True, "matched_id": face_id, "threshold": threshold}


def test_a_stranger_is_not_matched_as_documented(database: Database, mindy: bytes, jerry: bytes) -> None:
    database.add_face("jane_smith", mindy)
    found = database.found(jerry)
    assert found.pop("similarity_score") < 0.3
    if database.variant == "arcface":
        assert found.pop("confidence") == "low"
        assert 0 < found.pop("processing_time_ms") < 30_000
    threshold = {"facenet": 0.7, "arcface": 0.75}[database.variant]
    assert found == {
        "match_found": False,
        "threshold": threshold,
        "message": "No face match found above threshold",
    }


def test_nobody_is_found_in_an_empty_database(database: Database, mindy: bytes) -> None:
    found = database.found(mindy)
    assert (found["match_found"], found["similarity_score"]) == (False, 0.0)
    assert "matched_id" not in found


def test_another_photo_is_as_similar_as_the_person(database: Database, mindy: bytes, mindy_again: bytes) -> None:
    database.add_face("jane_smith", mindy)
    found = database.found(mindy_again)
    assert 0.7 < found["similarity_score"] < 0.8
    # Facenet's threshold is 0.7, below it; arcface's is 0.75, above it.
    assert found["match_found"] is (found["similarity_score"] >= found["threshold"])
    assert found["match_found"] is (database.variant == "facenet")


def test_the_variants_have_databases_of_their_own(arcface: Database, service: httpx.Client, mindy: bytes) -> None:
    facenet = Database(service, "facenet", {"model": "facenet"})
    assert arcface.add_face("jane_smith", mindy).status_code == 200
    assert (arcface.ids(), facenet.ids()) == (["jane_smith"], [])
    assert facenet.found(mindy)["match_found"] is False
    assert facenet.delete_face("jane_smith").status_code == 404
    assert arcface.delete_face("jane_smith").status_code == 200


def test_the_batch_script_adds_a_folder(
    arcface: Database, tmp_path: Path, sample_photos: Path, mindy: bytes, jerry: bytes
) -> None:
    """`batch_add_faces(image_folder)`."""
    (tmp_path / "mindy.jpg").write_bytes(mindy)
    (tmp_path / "jerry seinfeld.JPEG").write_bytes(jerry)
    madonna = sorted((sample_photos / "madonna").iterdir())[0].read_bytes()
    (tmp_path / "madonna.1958.png").write_bytes(png(madonna))
    (tmp_path / "nobody.png").write_bytes(nobody())
    (tmp_path / "notes.txt").write_text("no photo")
    assert sorted(batch_add_faces(arcface.service, str(tmp_path))) == [
        "Added jerry seinfeld: 200",
        "Added madonna.1958: 200",
        "Added mindy: 200",
        "Added nobody: 500",
    ]
    assert arcface.ids() == ["jerry seinfeld", "madonna.1958", "mindy"]
    for face_id, photo in (("mindy", mindy), ("jerry seinfeld", jerry), ("madonna.1958", madonna)):
        assert arcface.found(photo)["matched_id"] == face_id


def test_the_same_id_again_replaces_its_face(database: Database, mindy: bytes, jerry: bytes) -> None:
    database.add_face("john_doe", mindy)
    response = database.add_face("john_doe", jerry)
    assert response.status_code == 200
    assert response.json().get("total_faces", 1) == 1
    assert database.ids() == ["john_doe"]
    assert database.found(jerry)["matched_id"] == "john_doe"
    assert database.found(mindy)["match_found"] is False


def test_of_two_people_the_prominent_face_is_added(arcface: Database, mindy: bytes, jerry: bytes) -> None:
    assert arcface.add_face("john_doe", with_bystander(jerry, mindy)).status_code == 200
    assert arcface.found(jerry)["matched_id"] == "john_doe"
    assert arcface.found(mindy)["match_found"] is False


def test_faces_are_listed_as_documented(database: Database, mindy: bytes, jerry: bytes) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    database.add_face("john_doe", jerry)
    database.add_face("jane_smith", mindy)
    listed = database.service.get("/list_faces", params={"model": database.variant}).json()
    assert listed["total_faces"] == 2
    assert [face["id"] for face in listed["faces"]] == ["jane_smith", "john_doe"]
    for face in listed["faces"]:
        assert face.keys() == {"id", "added_date"}
        assert before < moment(face["added_date"]) < datetime.now(UTC) + timedelta(seconds=1)


def test_a_face_is_deleted_as_documented(database: Database, mindy: bytes, jerry: bytes) -> None:
    database.add_face("jane_smith", mindy)
    database.add_face("john_doe", jerry)
    response = database.delete_face("jane_smith")
    assert response.status_code == 200
    assert response.json() == {
        "message": "Face deleted successfully",
        "deleted_id": "jane_smith",
        "remaining_faces": 1,
    }
    assert database.ids() == ["john_doe"]
    assert database.found(mindy)["match_found"] is False
    assert database.found(jerry)["matched_id"] == "john_doe"


@pytest.mark.parametrize("face_id", ["a/b", "a\nb", "100%", "Zoë 😀", "x'; --"])
def test_any_id_comes_back_and_can_be_deleted(arcface: Database, face_id: str, mindy: bytes) -> None:
    assert arcface.add_face(face_id, mindy).json()["id"] == face_id
    assert arcface.ids() == [face_id]
    assert arcface.found(mindy)["matched_id"] == face_id
    assert arcface.delete_face(face_id).json()["deleted_id"] == face_id
    assert arcface.ids() == []


def test_the_statistics_are_told_as_documented(database: Database, mindy: bytes) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    database.add_face("jane_smith", mindy)
    found = database.stats()
    assert found.keys() == {
        "total_faces",
        "model",
        "embedding_dimension",
        "database_size_mb",
        "uptime_seconds",
        "last_updated",
    }
    model, size = {"arcface": ("mobilefacenet", 192), "facenet": ("facenet", 128)}[database.variant]
    assert (found["total_faces"], found["model"], found["embedding_dimension"]) == (1, model, size)
    assert 0 < found["database_size_mb"] < 10
    assert isinstance(found["uptime_seconds"], int)
    assert 0 <= found["uptime_seconds"] < 3600
    assert before < moment(found["last_updated"]) < datetime.now(UTC) + timedelta(seconds=1)


def test_the_health_has_every_documented_field(service: httpx.Client) -> None:
    """`curl -X GET .../health`; the time as this document has it is `timestamp_iso`, `timestamp` is seed 000's."""
    response = service.get("/health")
    assert response.status_code == 200
    found = response.json()
    assert found["status"] == "healthy"
    assert (found["model_loaded"], found["database_connected"]) == (True, True)
    assert abs(moment(found["timestamp_iso"]).timestamp() - found["timestamp"]) < 0.01


def test_no_file_is_the_documented_400(service: httpx.Client) -> None:
    for response in (
        service.post("/add_face", data={"id": "john_doe"}),
        service.post("/add_face", data={"id": "john_doe", "file": "john.jpg"}),
        service.post("/add_face", data={"id": "john_doe"}, files={"file": ("", b"")}),
        service.post("/add_face", data={"id": "john_doe", "model": "facenet"}),
        service.post("/match_face"),
        service.post("/match_face", params={"model": "facenet"}),
    ):
        assert response.status_code == 400
        assert response.json() == {"detail": "No file uploaded"}


def test_an_unknown_id_is_the_documented_404(database: Database, mindy: bytes) -> None:
    database.add_face("jane_smith", mindy)
    response = database.delete_face("unknown_person")
    assert response.status_code == 404
    assert response.json() == {"detail": "Face with ID 'unknown_person' not found"}
    assert database.ids() == ["jane_smith"]


def test_a_photo_of_nobody_is_the_documented_500(database: Database) -> None:
    for response in (database.add_face("john_doe", nobody()), database.match_face(nobody())):
        assert response.status_code == 500
        assert response.json() == {"detail": "Face detection failed. Please ensure the image contains a clear face."}
    assert database.ids() == []


def test_what_is_no_use_otherwise_is_a_400(arcface: Database, service: httpx.Client, mindy: bytes) -> None:
    file = {"file": ("john.jpg", mindy, "image/jpeg")}
    for response, detail in (
        (arcface.add_face("john_doe", b"no photo"), "The image is not a JPEG, PNG, WEBP, BMP, HEIC or AVIF file"),
        (arcface.add_face("john_doe", mindy[: len(mindy) // 2]), "The image is damaged and cannot be decoded"),
        (arcface.match_face(b""), "The image is empty"),
        (service.post("/add_face", files=file), "No id given"),
        (arcface.add_face("x" * 513, mindy), "A subject's id has 1 to 512 characters"),
        (service.post("/match_face", files=file, data={"model": "vgg"}), "model is arcface or facenet, not vgg"),
    ):
        assert response.status_code == 400
        assert response.json() == {"detail": detail}
    assert arcface.ids() == []
