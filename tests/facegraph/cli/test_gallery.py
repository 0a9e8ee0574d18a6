"""`facegraph compare`, and `facegraph gallery` of a running service."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from facegraph.cli import compare
from facegraph.client import Client, ManyVerification, NoAnswerError, upload_batches
from gallery.errors import unreadable
from gallery.reading.reader import Reader
from gallery.records import Collection, Statistics
from graphs.batches import LARGEST_PHOTO
from tests.facegraph.cli import Run
from tests.fakes import People

STAFF = ("--collection", "staff")


@pytest.fixture(autouse=True)
def _enrolled(staff: Client) -> None:
    for subject, photo in (("anna", b"anna"), ("anna", b"anna-again"), ("bob", b"bob"), ("[bold]\x1b[2J", b"dora")):
        staff.enrol("staff", subject, photo)


def test_collections_and_subjects_are_listed(run: Run) -> None:
    assert run("gallery", "list")[1].splitlines()[1].split()[:5] == ["staff", "embedder-model", "contract", "4", "3"]
    [listed] = json.loads(run("gallery", "list", "--json")[1])
    assert (listed["name"], listed["faces"], listed["embedding_contract"]) == ("staff", 4, "contract")
    lines = run("gallery", "subjects", *STAFF)[1].splitlines()
    assert [line.split("  ")[0] for line in lines] == ["[bold]\\x1b[2J", "anna", "bob"]
    assert lines[1].startswith("anna  2 faces, last enrolled 20")
    assert [each["faces"] for each in json.loads(run("gallery", "subjects", *STAFF, "--json")[1])] == [1, 2, 1]


def test_people_in_a_photo_are_found(run: Run, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_text("bob carl")
    words = ("gallery", "search", photo, *STAFF)
    assert run(*words)[1].splitlines() == [
        "face 1 (80x90 at 30,30): bob 1.000, margin 1.000",
        "face 2 (80x90 at 30,30): no candidate at 0.4 or above",
    ]
    assert "bob 1.000, " in run(*words, "--threshold", "-1", "--top", "2")[1]
    assert run(*words, "--min-margin", "1.5")[1].startswith("face 1 (80x90 at 30,30): no match, margin 1.000\n")
    found = json.loads(run(*words, "--json")[1])
    assert [[each["subject"] for each in face["candidates"]] for face in found["faces"]] == [["bob"], []]
    photo.write_text("faceless")
    assert run(*words)[1] == "no face\n"


def test_a_photo_is_compared_with_a_subject(run: Run, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_text("bob-2")
    words = ("gallery", "verify", photo, "bob", *STAFF)
    assert run(*words)[1] == "match: similarity 1.000 to bob; a match needs at least 0.4\n"
    assert run(*words[:3], "anna", *STAFF)[1].startswith("no match: similarity 0.000 to anna")
    assert json.loads(run(*words, "--json")[1])["match"]


def test_subjects_are_deleted(run: Run) -> None:
    out = run("gallery", "delete", "anna", "nobody", *STAFF)[1]
    assert out == "deleted 2 faces of anna\nno faces of nobody\n"
    status, _, err = run("gallery", "delete", "bob", "--collection", "none")
    assert (status, err) == (1, "error COLLECTION_NOT_FOUND: There is no collection called none\n")


def test_subjects_are_renamed_and_merged(run: Run) -> None:
    assert run("gallery", "rename", "bob", "carl", *STAFF)[1] == "renamed bob to carl: 1 face\n"
    assert run("gallery", "merge", "anna", "--into", "carl", *STAFF)[1] == "merged 2 faces into carl\n"
    assert run("gallery", "rename", "bob", "x", *STAFF)[::2] == (
        1,
        "error SUBJECT_NOT_FOUND: The collection has no subject with this id\n",
    )


def test_metadata_is_printed_set_and_removed(run: Run) -> None:
    command = ("gallery", "metadata", "bob", *STAFF)
    assert run(*command, "--set", '{"n": [1]}')[1] == "set the metadata of bob\n"
    assert json.loads(run(*command)[1]) == {"n": [1]}
    assert run(*command, "--remove")[1] == "removed the metadata of bob\n"
    assert run(*command)[1] == "null\n"
    assert [run(*command, "--set", text)[0] for text in ("{", "[]")] == [2, 2]


def test_a_collection_is_dropped_after_confirmation(run: Run, staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    questions: list[str] = []
    monkeypatch.setattr("typer.confirm", questions.append)
    assert run("gallery", "drop", "staff")[::2] == (1, "error staff was not deleted\n")
    assert questions == ["Delete staff with 4 faces of 3 subjects permanently?"]
    out = run("gallery", "drop", "staff", "--yes")[1]
    assert out == "deleted the collection staff with 4 faces of 3 subjects\n"
    assert staff.collections() == ()


def test_a_damaged_collection_is_reported_and_can_be_dropped(
    run: Run, staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    staff.put_collection("guests")
    statistics = Reader.statistics

    async def damaged(reader: Reader, name: str) -> tuple[Collection, Statistics]:
        if name == "staff":
            raise unreadable("staff")
        return await statistics(reader, name)

    monkeypatch.setattr(Reader, "statistics", damaged)
    status, out, err = run("gallery", "list")
    assert (status, "guests" in out, "staff" in out) == (1, True, False)
    assert err == "error The files of the collection staff cannot be read\n"
    out = run("gallery", "drop", "staff", "--yes")[1]
    assert out == "deleted the collection staff with all its faces, which cannot be read\n"


@pytest.mark.parametrize(("most", "size", "calls"), [(100, 28_000_000, 1), (2, 28_000_000, 2), (100, 1500, 3)])
def test_photos_are_compared_with_the_first_in_requests_within_the_limits(
    run: Run, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, size: int, calls: int
) -> None:
    monkeypatch.setattr(compare, "MAX_COMPARED", most)
    monkeypatch.setattr(upload_batches, "MAX_BYTES", size)
    photos = [tmp_path / name for name in ("1.jpg", "2.jpg", "3.jpg", "4.jpg")]
    for path, words in zip(photos, ("anna", "anne", "bob", "faceless"), strict=True):
        path.write_text(words)
    enrolled = len(people.detected)
    status, out, err = run("compare", *photos)
    assert (status, err) == (1, "error refused 1 of 3 photos\n")
    # One detection of the reference per request.
    assert people.detected[enrolled:].count(["anna"]) == calls
    assert out.splitlines() == [
        f"match {photos[1]}: similarity 0.940",
        f"no match {photos[2]}: similarity 0.000",
        f"refused {photos[3]}: NO_FACE_DETECTED No face detected",
        "a match needs at least 0.4",
    ]
    found = json.loads(run("compare", *photos, "--json")[1])
    assert [(each["file"], each["match"]) for each in found["photos"]] == [
        *((str(photos[1]), True), (str(photos[2]), False), (str(photos[3]), False))
    ]


def test_results_before_an_error_are_printed_and_large_files_are_refused_alone(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "MAX_COMPARED", 1)
    photos = [tmp_path / name for name in ("1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg")]
    for path, words in zip(photos, ("anna", "", "", "anne", "bob"), strict=True):
        path.write_text(words)
    os.truncate(photos[1], LARGEST_PHOTO + 1)
    os.truncate(photos[2], LARGEST_PHOTO)
    verify_many = Client.verify_many

    def lost(client: Client, reference: bytes, *others: bytes, **options: Any) -> ManyVerification:
        if others == (b"bob",):
            raise NoAnswerError("no answer")
        return verify_many(client, reference, *others, **options)

    monkeypatch.setattr(Client, "verify_many", lost)
    status, out, err = run("compare", *photos)
    too_large, body_too_large, match = out.splitlines()
    assert too_large.startswith(f"refused {photos[1]}: IMAGE_TOO_LARGE ")
    assert body_too_large.startswith(f"refused {photos[2]}: BODY_TOO_LARGE ")
    assert match == f"match {photos[3]}: similarity 0.940"
    assert (status, "no answer" in err) == (1, True)
    found = json.loads(run("compare", *photos[:4], "--json")[1])
    assert [each["error"] and each["error"]["code"] for each in found["photos"]] == [
        *("IMAGE_TOO_LARGE", "BODY_TOO_LARGE", None)
    ]
