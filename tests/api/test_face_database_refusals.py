"""What the face database's contract (seed 001) refuses, and how."""

from typing import Any

import pytest

from api.settings import LimitArgs
from tests.api.face_database import Database, error


@pytest.mark.parametrize("path", ["/add_face", "/match_face"])
@pytest.mark.parametrize(
    "form",
    [
        {"data": {"id": "a"}},
        {"data": {"id": "a", "file": "text"}},
        {"data": {"id": "a"}, "files": {"file": ("", b"")}},
        {"data": {"id": "a"}, "files": {"photo": b"anna"}},
    ],
)
def test_without_a_file_it_is_the_contracts_400(path: str, form: dict[str, Any]) -> None:
    assert error(Database().client.post(path, **form)) == (400, "No file uploaded")


def test_an_id_that_is_missing_blank_or_too_long_is_a_400_and_no_network_is_asked() -> None:
    database = Database()
    assert error(database.client.post("/add_face", files={"file": b"anna"})) == (400, "No id given")
    assert error(database.client.post("/add_face", json={"id": "a"})) == (400, "No id given")
    assert error(database.add("", "anna")) == (400, "No id given")
    assert error(database.add("\u2003\t", "anna")) == (400, "A subject's id has at least one visible character")
    assert database.people.detected == []
    assert error(database.add("x" * 513, "anna"))[0] == error(database.delete("x" * 513))[0] == 400


def test_a_photo_without_a_face_is_the_contracts_500() -> None:
    database = Database()
    said = "Face detection failed. Please ensure the image contains a clear face."
    assert error(database.add("a", "nobody")) == error(database.match("nobody")) == (500, said)
    assert database.faces() == []


def test_an_unknown_variant_is_a_400() -> None:
    asked = Database("VGG-Face")
    said = (400, "model must be arcface or facenet, not vgg-face")
    assert error(asked.add("a", "anna")) == error(asked.match("anna")) == error(asked.delete("a")) == said
    for path in ("/list_faces", "/stats"):
        assert error(asked.client.get(path, params=asked.said)) == said


@pytest.mark.parametrize("path", ["/add_face", "/match_face"])
def test_a_variant_in_the_form_and_in_the_address_is_a_400(path: str) -> None:
    sent = {"params": {"model": "arcface"}, "data": {"id": "a", "model": "facenet"}, "files": {"file": b"anna"}}
    said = "model is in both the form and the query; send it once"
    assert error(Database().client.post(path, **sent)) == (400, said)


def test_a_full_database_takes_no_more_but_replaces() -> None:
    database = Database(limits=LimitArgs(max_faces=2))
    database.add("a", "anna")
    database.enrol("a", "anna-2", "anna-3")
    assert database.add("b", "bob").status_code == 200
    assert error(database.add("c", "carl")) == (400, "The database already has the maximum of 2 faces")
    assert database.add("b", "carl").status_code == 200
    assert database.faces() == ["a", "b"]
    database.delete("a")
    assert database.add("c", "dora").status_code == 200
