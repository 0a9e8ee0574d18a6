"""`facegraph gallery enrol`."""

import asyncio
import csv
import hashlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegraph.cli import enrolment
from facegraph.client import AsyncClient, Client, ForbiddenError, NoAnswerError
from gallery.records import NewFace, digest
from tests.facegraph.cli.typing import Run
from tests.fakes import People

ENROL = ("gallery", "enrol")
STAFF = ("--collection", "staff")


def faces() -> dict[str, int]:
    with Client() as client:
        return {subject.id: subject.faces for subject in client.subjects("staff")}


def test_a_folder_of_people_is_enrolled(run: Run, people: People, folder: Path) -> None:
    status, out, err = run(*ENROL, folder, *STAFF, "--create")
    assert status == 1
    assert sorted(out.splitlines()) == [
        "3 enrolled, 0 already there, 2 refused",
        f"refused {folder}/carl/dark.jpg of carl: FACE_TOO_DARK The face is too dark: brightness 10 of 255",
        f"refused {folder}/carl/two.jpg of carl: MULTIPLE_FACES_DETECTED "
        "Multiple faces detected (2). Exactly one face is required",
    ]
    assert err == "error 2 of 5 files were refused\n"
    assert faces() == {"anna": 2, "bob": 1}


def test_again_sends_only_what_is_new(run: Run, people: People, folder: Path) -> None:
    run(*ENROL, folder, *STAFF, "--create")
    people.detected.clear()
    (folder / "dora").mkdir()
    (folder / "dora" / "1.jpg").write_text("dora")
    (folder / "carl" / "dark.jpg").unlink()
    (folder / "carl" / "two.jpg").unlink()
    (folder / "carl").rmdir()
    status, out, _ = run(*ENROL, folder, *STAFF)
    assert (status, out) == (0, "1 enrolled, 3 already there, 0 refused\n")
    assert people.detected == [["dora"]]


def test_what_may_be_poor_or_of_several_is_enrolled_where_that_is_wished(
    run: Run, people: People, folder: Path
) -> None:
    status, out, _ = run(*ENROL, folder, *STAFF, "--create", "--quality", "report", "--faces", "largest")
    assert (status, out) == (0, "5 enrolled, 0 already there, 0 refused\n")


def test_a_collection_is_made_only_when_asked_to_and_left_as_it_is(run: Run, people: People, folder: Path) -> None:
    status, _, err = run(*ENROL, folder, *STAFF)
    assert status == 1
    assert err == "error COLLECTION_NOT_FOUND: There is no collection called staff\n"
    with Client() as client:
        client.put_collection("staff", embedder="facenet", threshold=0.3)
        run(*ENROL, folder, *STAFF, "--create")
        made = client.collection("staff")
    assert (made.embedder, made.threshold, made.faces) == ("facenet", 0.3, 3)


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_a_report_has_a_row_a_photo(run: Run, people: People, folder: Path, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"report.{suffix}"
    run(*ENROL, folder, *STAFF, "--create", "--report", file)
    text = file.read_text()
    rows: list[dict[str, Any]] = json.loads(text) if suffix == "json" else list(csv.DictReader(text.splitlines()))
    assert {(row["subject"], Path(row["photo"]).name, row["status"], row["code"]) for row in rows} == {
        ("anna", "1.jpg", "enrolled", ""),
        ("anna", "2.PNG", "enrolled", ""),
        ("bob", "1.jpg", "enrolled", ""),
        ("carl", "dark.jpg", "refused", "FACE_TOO_DARK"),
        ("carl", "two.jpg", "refused", "MULTIPLE_FACES_DETECTED"),
    }


def test_a_report_of_another_kind_is_a_usage_error_before_anything_is_sent(
    run: Run, people: People, folder: Path
) -> None:
    status, _, err = run(*ENROL, folder, *STAFF, "--create", "--report", folder / "report.txt")
    assert status == 2
    assert "neither in .csv nor in .json" in err
    assert people.detected == []


def test_what_cannot_be_a_subject_or_a_photo_is_told_and_the_others_are_enrolled(
    run: Run, people: People, folder: Path
) -> None:
    strange = folder / os.fsdecode(b"\xff\x1b[2J")
    strange.mkdir()
    (strange / "1.jpg").write_text("dora")
    (folder / " ").mkdir()
    (folder / " " / "1.jpg").write_text("dora")
    (folder / "bob" / "gone.jpg").symlink_to("/proc/self/mem")
    status, out, _ = run(*ENROL, folder, *STAFF, "--create")
    assert status == 1
    assert out.count("INVALID_SUBJECT") == 2
    assert "UNREADABLE" in out
    assert "\x1b" not in out
    assert faces() == {"anna": 2, "bob": 1}


def test_people_whose_ids_look_like_others_are_named(run: Run, people: People, tmp_path: Path) -> None:
    for name in ("Jos\u00e9", "zoe"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_text("anna")
    assert "look alike" not in run(*ENROL, tmp_path, *STAFF, "--create")[1]
    # As macOS writes the name, and with a space too many.
    for was, name in (("Jos\u00e9", "Jose\u0301"), ("zoe", "Zoe ")):
        (tmp_path / was).rename(tmp_path / name)
    status, out, _ = run(*ENROL, tmp_path, *STAFF)
    lines = [line for line in out.splitlines() if line.startswith("look alike")]
    assert status == 0
    assert lines == [
        "look alike Jose\u0301 ('Jose\\u0301') and Jos\u00e9 ('Jos\\xe9') are two subjects",
        "look alike Zoe  ('Zoe ') and zoe ('zoe') are two subjects",
    ]
    assert [line for line in run("gallery", "subjects", *STAFF)[1].splitlines() if "look alike" in line] == lines


def test_files_are_judged_by_content_and_each_is_enrolled_or_named(run: Run, people: People, tmp_path: Path) -> None:
    for name, words in {
        "anna/1.jfif": "anna",
        "anna/2.HEIC": "anna-again",
        "anna/3": "anna-more",
        "anna/film.mov": "broken",
        "anna/notes.jpg": "broken",
        "carl/only.txt": "broken",
        "stray.jpg": "dora",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(words)
    (tmp_path / "dora").mkdir()
    status, out, err = run(*ENROL, tmp_path, *STAFF, "--create")
    assert status == 1
    assert sorted(out.splitlines()) == [
        "3 enrolled, 0 already there, 5 refused",
        f"refused {tmp_path}/anna/film.mov of anna: INVALID_IMAGE The image is damaged",
        f"refused {tmp_path}/anna/notes.jpg of anna: INVALID_IMAGE The image is damaged",
        f"refused {tmp_path}/carl/only.txt of carl: INVALID_IMAGE The image is damaged",
        f"refused {tmp_path}/dora of dora: NO_PHOTO The folder has no photo",
        f"refused {tmp_path}/stray.jpg: NO_SUBJECT The file is in no person's folder",
    ]
    assert err == "error 5 of 8 files were refused\n"
    assert faces() == {"anna": 3}


def test_what_systems_leave_in_folders_is_neither_a_person_nor_a_photo(run: Run, people: People, folder: Path) -> None:
    for litter in ("@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg", ".thumbs/1.jpg", "__MACOSX/anna/._1.jpg", "#recycle/x.jpg"):
        for place in (folder, folder / "anna"):
            path = place / litter
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("dora")
    for litter in ("._1.jpg", ".DS_Store", "Thumbs.db", "desktop.ini", "Icon\r"):
        for place in (folder, folder / "bob"):
            (place / litter).write_text("dora")
    _, out, _ = run(*ENROL, folder, *STAFF, "--create")
    assert "3 enrolled, 0 already there, 2 refused" in out
    assert faces() == {"anna": 2, "bob": 1}


def test_a_name_that_is_no_unicode_is_no_fault(run: Run, people: People, folder: Path) -> None:
    (folder / "bob" / os.fsdecode(b"caf\xe9.jpg")).write_text("bob-again")
    _, out, _ = run(*ENROL, folder, *STAFF, "--create")
    assert "4 enrolled" in out


def test_a_key_that_may_only_enrol_is_enough(
    run: Run, people: People, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forbidden(*_: object) -> AsyncIterator[None]:
        raise ForbiddenError("FORBIDDEN", "The key may not do that", 403)
        yield

    with Client() as client:
        client.put_collection("staff")
    monkeypatch.setattr(AsyncClient, "subjects", forbidden)
    assert "3 enrolled, 0 already there, 2 refused" in run(*ENROL, folder, *STAFF)[1]
    assert "0 enrolled, 3 already there, 2 refused" in run(*ENROL, folder, *STAFF)[1]


def test_a_folder_without_people_is_one_sentence(run: Run, people: People, tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_text("anna")
    status, _, err = run(*ENROL, tmp_path, *STAFF)
    assert status == 1
    assert err.startswith(f"error {tmp_path} has no folder with photos")


def test_without_a_service_it_is_one_sentence(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unanswered(*_: object) -> None:
        raise NoAnswerError("No answer from http://nowhere")

    monkeypatch.setattr(AsyncClient, "subjects", unanswered)
    status, out, err = run(*ENROL, folder, *STAFF, "--url", "http://nowhere")
    assert (status, out) == (1, "0 enrolled, 0 already there, 0 refused\n")
    assert err == "error No answer from http://nowhere; is the service running? `facegraph serve` starts it here\n"
    status, _, err = run(*ENROL, folder, *STAFF, "--url", "nowhere")
    assert (status, err) == (1, "error the service's address must be like http://localhost:8000\n")


def test_stopped_by_hand_it_tells_how_far_it_came(
    run: Run, people: People, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = AsyncClient.enrol_many
    batches = iter([True, False])

    def enrol_many(*args: Any, **options: Any) -> Any:
        if not next(batches):
            raise KeyboardInterrupt
        return whole(*args, **options)

    monkeypatch.setattr(AsyncClient, "enrol_many", enrol_many)
    monkeypatch.setattr(enrolment, "BATCH", 1)
    status, out, err = run(*ENROL, folder, *STAFF, "--create", "--parallel", "1")
    assert (status, out) == (130, "1 enrolled, 0 already there, 0 refused\n")
    assert err == "error stopped; the same command again goes on from here\n"


def test_so_many_requests_at_once_and_no_more() -> None:
    under_way: set[int] = set()
    most = 0

    async def work(item: int) -> None:
        nonlocal most
        under_way.add(item)
        most = max(most, len(under_way))
        await asyncio.sleep(0)
        under_way.remove(item)

    asyncio.run(enrolment.at_once(3, work, range(20)))
    assert most == 3


def test_a_face_has_the_id_that_the_gallery_gives_it() -> None:
    source = hashlib.sha256(b"photo").hexdigest()
    embedding = np.ones(2, np.float32)
    assert enrolment.face_ids("anna", b"photo", False) == [NewFace("anna", source, "", embedding).id]
    assert enrolment.face_ids("anna", b"photo", True)[1] == NewFace("anna", f"{source}:1", "", embedding).id
    assert enrolment.face_ids("anna", b"photo", False) != [digest("anna", source)]
