"""The clients of the face database service (seed 001), against the real one: its two variants are one service here."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.contracts import with_bystander

THRESHOLDS = {"facenet": 0.7, "arcface": 0.75}
JOHN = "john/doe 😀"
"""An id that a proxy or a router could change in a path."""


@dataclass(frozen=True)
class Database:
    """One variant, as a client chooses it: arcface by default."""

    service: httpx.Client
    variant: str
    form: dict[str, str]

    def add_face(self, face_id: str, photo: bytes) -> httpx.Response:
        """`curl -X POST .../add_face -F "id=john_doe" -F "file=@path/to/john.jpg"`."""
        data, files = {"id": face_id, **self.form}, {"file": ("john.jpg", photo, "image/jpeg")}
        return self.service.post("/add_face", data=data, files=files)

    def match_face(self, photo: bytes) -> httpx.Response:
        """`curl -X POST .../match_face -F "file=@path/to/query.jpg"`."""
        files = {"file": ("query.jpg", photo, "image/jpeg")}
        return self.service.post("/match_face", data=self.form, files=files)

    def found(self, photo: bytes) -> Any:
        response = self.match_face(photo)
        assert response.status_code == 200
        return response.json()

    def ids(self) -> list[str]:
        """`curl -X GET .../list_faces`."""
        listed = self.service.get("/list_faces", params={"model": self.variant}).json()
        assert listed["total_faces"] == len(listed["faces"])
        return [face["id"] for face in listed["faces"]]

    def delete_face(self, face_id: str) -> httpx.Response:
        """`curl -X DELETE .../delete_face/jane_smith`."""
        return self.service.delete(f"/delete_face/{quote(face_id, safe='')}", params={"model": self.variant})


@pytest.fixture(params=[("arcface", {}), ("facenet", {"model": "facenet"})], ids=["arcface", "facenet"])
def database(service: httpx.Client, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A variant's database, empty before and after a test."""
    made = Database(service, *request.param)
    assert made.ids() == []
    yield made
    for face_id in made.ids():
        assert made.delete_face(face_id).status_code == 200


def test_faces_are_added_found_and_deleted(database: Database, mindy: bytes, mindy_again: bytes, jerry: bytes) -> None:
    threshold = THRESHOLDS[database.variant]
    assert database.add_face("jane_smith", mindy).status_code == 200
    stranger = database.found(jerry)
    assert (stranger["match_found"], stranger["threshold"]) == (False, threshold)
    assert stranger["similarity_score"] < 0.3
    assert database.add_face(JOHN, with_bystander(jerry, mindy)).status_code == 200
    assert database.ids() == ["jane_smith", JOHN]
    for photo, face_id in ((mindy, "jane_smith"), (jerry, JOHN)):
        found = database.found(photo)
        assert (found["match_found"], found["matched_id"]) == (True, face_id)
        assert threshold < found["similarity_score"] < 1.001
    again = database.found(mindy_again)
    # Facenet's threshold is below the similarity, arcface's above it.
    assert 0.7 < again["similarity_score"] < 0.8
    assert again["match_found"] is (database.variant == "facenet")
    assert database.delete_face(JOHN).json()["remaining_faces"] == 1
