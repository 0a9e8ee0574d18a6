"""`facegraph gallery re-embed`."""

from pathlib import Path

import pytest

from facegraph.client import Client
from tests.facegraph.cli.typing import Run
from tests.fakes import People

WORDS = ("gallery", "re-embed")
NAMES = ("--from", "staff", "--to", "staff-2", "--embedder", "facenet")


@pytest.fixture
def enrolled(run: Run, people: People, folder: Path) -> Path:
    """The folder, enrolled in the collection staff."""
    run("gallery", "enrol", folder, "--collection", "staff", "--create")
    people.detected.clear()
    return folder


def faces(collection: str) -> dict[str, list[str]]:
    with Client() as client:
        return {
            subject.id: sorted(face.label for face in client.subject(collection, subject.id).faces)
            for subject in client.subjects(collection)
        }


def test_exactly_the_photos_that_were_enrolled_are_embedded_anew(run: Run, people: People, enrolled: Path) -> None:
    (enrolled / "bob" / "new.jpg").write_text("bob-new")
    before = faces("staff")
    status, out, _ = run(*WORDS, enrolled, *NAMES)
    assert status == 0
    assert out.splitlines() == [
        "3 enrolled, 0 already there, 0 refused",
        "everybody of staff with a photo is in staff-2; staff is as it was",
    ]
    assert faces("staff-2") == before == faces("staff") == {"anna": ["1.jpg", "2.PNG"], "bob": ["1.jpg"]}
    with Client() as client:
        assert client.collection("staff-2").embedder == "facenet"


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_embedded(
    run: Run, people: People, enrolled: Path
) -> None:
    (enrolled / "bob" / "memory.jpg").symlink_to("/proc/self/mem")
    (enrolled / "anna" / "gone.jpg").symlink_to("nowhere")
    _, out, _ = run(*WORDS, enrolled, *NAMES)
    assert out.count("UNREADABLE") == 2
    assert faces("staff-2") == faces("staff")


def test_again_it_goes_on(run: Run, people: People, enrolled: Path) -> None:
    run(*WORDS, enrolled, *NAMES)
    people.detected.clear()
    status, out, _ = run(*WORDS, enrolled, *NAMES)
    assert (status, out.splitlines()[0]) == (0, "0 enrolled, 3 already there, 0 refused")
    assert people.detected == []


def test_nobody_is_lost_in_silence(run: Run, people: People, enrolled: Path) -> None:
    (enrolled / "bob" / "1.jpg").unlink()
    status, out, err = run(*WORDS, enrolled, *NAMES)
    assert status == 1
    assert "missing 1.jpg of bob: no such photo" in out
    assert err.startswith(f"error 1 of 2 subjects of staff have no photo in {enrolled}, and nothing was done")
    with Client() as client:
        assert [each.name for each in client.collections()] == ["staff"]
    status, out, _ = run(*WORDS, enrolled, *NAMES, "--without-missing")
    assert status == 0
    assert "missing 1.jpg of bob: no such photo" in out
    assert faces("staff-2") == {"anna": ["1.jpg", "2.PNG"]}


def test_a_photo_that_is_gone_is_told_where_the_subject_has_another(run: Run, people: People, enrolled: Path) -> None:
    (enrolled / "anna" / "1.jpg").unlink()
    status, out, _ = run(*WORDS, enrolled, *NAMES)
    assert status == 0
    assert "missing 1.jpg of anna: no such photo" in out
    assert faces("staff-2") == {"anna": ["2.PNG"], "bob": ["1.jpg"]}


def test_whoever_has_other_photos_only_is_enrolled_by_these(run: Run, people: People, enrolled: Path) -> None:
    (enrolled / "bob" / "1.jpg").write_text("bob-elsewhere")
    status, out, _ = run(*WORDS, enrolled, *NAMES)
    assert status == 0
    assert "1 subjects by other photos than those enrolled: bob" in out
    (enrolled / "bob" / "1.jpg").write_text("bob-dark")
    status, out, err = run(*WORDS, enrolled, *NAMES[:3], "staff-3", *NAMES[4:])
    assert status == 1
    assert "FACE_TOO_DARK" in out
    assert err == "error 1 subjects of staff are not in staff-3: bob\n"


def test_what_was_let_in_once_is_let_in_again(run: Run, people: People, folder: Path) -> None:
    run("gallery", "enrol", folder, "--collection", "staff", "--create", "--quality", "report", "--faces", "largest")
    status, _, _ = run(*WORDS, folder, *NAMES)
    assert status == 0
    assert faces("staff-2")["carl"] == ["dark.jpg", "two.jpg"]


def test_every_face_is_embedded_anew_where_every_face_was_enrolled(run: Run, people: People, folder: Path) -> None:
    run("gallery", "enrol", folder, "--collection", "staff", "--create", "--quality", "report", "--faces", "all")
    before = faces("staff")
    assert before["carl"] == ["dark.jpg", "two.jpg", "two.jpg"]
    status, out, _ = run(*WORDS, folder, *NAMES)
    assert (status, "missing" in out) == (0, False)
    assert faces("staff-2") == before
    people.detected.clear()
    run("gallery", "enrol", folder, "--collection", "staff", "--quality", "report", "--faces", "all")
    assert people.detected == []


def test_it_takes_another_network(run: Run, people: People, enrolled: Path) -> None:
    for words, problem in (
        (("--to", "new"), "staff has the embeddings of embedder-model, which is arcface, already"),
        (("--to", "new", "--embedder", "x"), "there is no embedder called x; there are arcface, facenet"),
        (
            ("--to", "other", "--embedder", "facenet"),
            "other has embeddings of embedder-model, and facenet is other-model now",
        ),
    ):
        with Client() as client:
            client.put_collection("other")
        assert run(*WORDS, enrolled, "--from", "staff", *words)[::2] == (1, f"error {problem}\n")
    assert run(*WORDS, enrolled, "--from", "staff", "--to", "staff")[0] == 2
    assert people.detected == []
