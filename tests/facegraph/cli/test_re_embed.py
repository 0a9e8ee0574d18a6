"""`facegraph gallery re-embed`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from facegraph.cli.folder_enrolment import face_ids
from facegraph.cli.re_embed import EVERY_FACE, ONE_FACE, OTHER_PHOTO, re_embed_plan
from facegraph.client import Client, StoredFace
from tests.facegraph.cli import Run
from tests.fakes import People

NAMES = ("--from", "staff", "--to", "staff-2", "--embedder", "facenet")


def labels(client: Client) -> dict[str, list[str]]:
    """The labels of each subject's faces in staff-2."""
    subjects = [client.subject("staff-2", each.id) for each in client.subjects("staff-2")]
    return {subject.id: sorted(face.label for face in subject.faces) for subject in subjects}


def test_photos_are_recognised_by_their_digests(tmp_path: Path) -> None:
    def stored(subject: str, label: str, number: int | None = None) -> StoredFace:
        ids = face_ids(subject, label.encode(), number is not None)
        return StoredFace(face_id=ids[number or 0], label=label, created=datetime.now(UTC))

    for name in ("one", "new", "group", "other"):
        (tmp_path / name).write_text(name)
    (tmp_path / "memory").symlink_to("/proc/self/mem")
    enrolled: Mapping[str, list[StoredFace]] = {
        "anna": [stored("anna", "one"), stored("anna", "gone")],
        "bob": [stored("bob", "group", 0), stored("bob", "group", 1)],
        "carl": [stored("carl", "lost")],
        "dora": [stored("dora", "lost")],
    }
    found = {"anna": ("one", "new", "memory"), "bob": ("group",), "carl": ("other",), "unknown": ("one",)}
    photos = {subject: [tmp_path / name for name in names] for subject, names in found.items()}
    plan = re_embed_plan(enrolled, photos)
    expected = {ONE_FACE: ("anna", "one"), EVERY_FACE: ("bob", "group"), OTHER_PHOTO: ("carl", "other")}
    assert plan.photos == {rules: {subject: [tmp_path / name]} for rules, (subject, name) in expected.items()}
    assert [(each.subject, Path(each.photo).name, each.code) for each in plan.lost] == [
        ("anna", "memory", "UNREADABLE"),
        ("anna", "gone", ""),
        ("dora", "lost", ""),
    ]
    assert plan.absent == ["dora"]


def test_a_collection_is_embedded_again_and_resumed(run: Run, people: People, staff: Client, folder: Path) -> None:
    staff.enrol("staff", "anna", folder / "anna" / "1.jpg", metadata={"n": 1})
    staff.enrol("staff", "bob", b"bob-elsewhere")
    staff.enrol("staff", "carl", folder / "carl" / "dark.jpg", quality="report")
    staff.enrol("staff", "carl", folder / "carl" / "two.jpg", faces="all")
    status, out, _ = run("gallery", "re-embed", folder, *NAMES)
    assert (status, out) == (
        0,
        "5 enrolled, 0 already enrolled, 0 refused\nenrolled from different photos than before: bob\n"
        "done every subject of staff with a photo is in staff-2\n",
    )
    assert labels(staff) == {"anna": ["1.jpg"], "bob": ["1.jpg"], "carl": ["dark.jpg", "two.jpg", "two.jpg"]}
    assert staff.collection("staff-2").embedder == "facenet"
    assert [each.metadata for each in staff.subjects("staff-2", metadata=True)] == [{"n": 1}, None, None]
    people.detected.clear()
    assert run("gallery", "re-embed", folder, *NAMES)[1].startswith("0 enrolled, 4 already enrolled")
    assert people.detected == []
    (folder / "bob" / "1.jpg").write_text("bob-dark")
    status, out, err = run("gallery", "re-embed", folder, *NAMES[:3], "staff-3", *NAMES[4:])
    assert "FACE_TOO_DARK" in out
    assert (status, err) == (1, "error not every subject of staff is in staff-3; missing: bob\n")


def test_no_subject_is_left_out_without_consent(run: Run, staff: Client, folder: Path) -> None:
    run("gallery", "enrol", folder, "--collection", "staff")
    (folder / "bob" / "1.jpg").unlink()
    status, out, err = run("gallery", "re-embed", folder, *NAMES)
    assert "missing 1.jpg of bob: photo not found in the folder" in out
    assert err.startswith(f"error {folder} has no photo of 1 of the 2 subjects of staff; nothing was changed")
    assert (status, [each.name for each in staff.collections()]) == (1, ["staff"])
    assert run("gallery", "re-embed", folder, *NAMES, "--without-missing")[0] == 0
    assert labels(staff) == {"anna": ["1.jpg", "2.PNG"]}


def test_the_new_embedder_must_fit(run: Run, staff: Client, folder: Path) -> None:
    staff.put_collection("other")
    for words, problem in (
        ("--to new", "staff already uses arcface (embedder-model)"),
        ("--to new --embedder x", "unknown embedder x; available: arcface, facenet"),
        ("--to other --embedder facenet", "other uses embedder-model, but facenet is other-"),
    ):
        assert problem in run("gallery", "re-embed", folder, "--from", "staff", *words.split())[2]
