"""`facegraph gallery enrol`, and what it reports on the terminal and in a file."""

import asyncio
import csv
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from facegraph.cli.enrolment_report import run_and_report
from facegraph.cli.folder_enrolment import FolderEnrolment, run_parallel
from facegraph.cli.options import DEFAULT_URL
from facegraph.cli.output import CommandError
from facegraph.cli.person_folders import FileOutcome
from facegraph.client import AsyncClient, Client, ForbiddenError, NoAnswerError
from tests.facegraph.cli import Run
from tests.fakes import People

STAFF = ("--collection", "staff")


def faces() -> dict[str, int]:
    with Client() as client:
        return {subject.id: subject.faces for subject in client.subjects("staff")}


def test_each_file_is_enrolled_or_reported_and_not_sent_twice(run: Run, people: People, folder: Path) -> None:
    (folder / "stray.jpg").write_text("dora")
    status, out, err = run("gallery", "enrol", folder, *STAFF, "--create")
    counts, dark, two, stray = sorted(out.splitlines())
    assert counts == "3 enrolled, 0 already enrolled, 3 refused"
    assert dark == f"refused {folder}/carl/dark.jpg of carl: FACE_TOO_DARK The face is too dark: brightness 10 of 255"
    assert two.startswith(f"refused {folder}/carl/two.jpg of carl: MULTIPLE_FACES_DETECTED Multiple faces detected (2)")
    assert stray == f"refused {folder}/stray.jpg: NO_SUBJECT The file is not in a person's folder"
    assert (status, err) == (1, "error 3 of 6 files were refused\n")
    assert faces() == {"anna": 2, "bob": 1}
    people.detected.clear()
    (folder / "stray.jpg").unlink()
    (folder / "carl" / "dark.jpg").write_text("carl-1")
    (folder / "carl" / "two.jpg").write_text("carl-2")
    status, out, _ = run("gallery", "enrol", folder, *STAFF)
    assert (status, out) == (0, "2 enrolled, 3 already enrolled, 0 refused\n")
    assert people.detected == [["carl-1", "carl-2"]]


def test_options_accept_poor_photos_and_groups(run: Run, people: People, folder: Path) -> None:
    words = ("gallery", "enrol", folder, *STAFF, "--create", "--quality", "report", "--faces", "all")
    assert run(*words)[:2] == (0, "6 enrolled, 0 already enrolled, 0 refused\n")
    assert faces()["carl"] == 3


def test_faces_that_resemble_another_person_are_reported_or_refused(run: Run, people: People, folder: Path) -> None:
    (folder / "anne").mkdir()
    (folder / "anne" / "1.jpg").write_text("anne")
    line = f"{folder}/anne/1.jpg of anne: DUPLICATE_FACE The face resembles anna: similarity 0.940"
    words = ("gallery", "enrol", folder, *STAFF, "--create", "--duplicate")
    assert f"refused {line}" in run(*words, "refuse")[1].splitlines()
    assert "anne" not in faces()
    assert f"enrolled {line}" in run(*words, "report")[1].splitlines()
    assert faces()["anne"] == 1


def test_a_collection_is_only_created_on_request_and_never_changed(run: Run, people: People, folder: Path) -> None:
    err = run("gallery", "enrol", folder, *STAFF)[2]
    assert err == "error COLLECTION_NOT_FOUND: There is no collection called staff; --create creates it\n"
    with Client() as client:
        client.put_collection("staff", embedder="facenet", threshold=0.3)
        run("gallery", "enrol", folder, *STAFF, "--create")
        made = client.collection("staff")
    assert (made.embedder, made.threshold, made.faces) == ("facenet", 0.3, 3)


def test_odd_names_and_unreadable_files_do_not_stop_the_others(run: Run, people: People, folder: Path) -> None:
    for name in (" ", os.fsdecode(b"\xff\x1b[2J")):
        (folder / name).mkdir()
        (folder / name / "1.jpg").write_text("dora")
    (folder / "bob" / os.fsdecode(b"caf\xe9.jpg")).write_text("bob-again")
    (folder / "bob" / "gone.jpg").symlink_to("/proc/self/mem")
    out = run("gallery", "enrol", folder, *STAFF, "--create")[1]
    assert (out.count("INVALID_SUBJECT"), out.count("UNREADABLE"), "\x1b" in out) == (2, 1, False)
    assert faces() == {"anna": 2, "bob": 2}


def test_ids_that_look_alike_are_reported(run: Run, staff: Client, folder: Path) -> None:
    staff.enrol("staff", "Bob", b"bob")
    line = "look alike Bob ('Bob') and bob ('bob') are two subjects\n"
    for words in (("enrol", folder), ("subjects",)):
        assert line in run("gallery", *words, *STAFF)[1]


@pytest.mark.usefixtures("staff")
def test_a_key_that_may_only_enrol_is_enough(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def forbidden(*_: object) -> AsyncIterator[None]:
        raise ForbiddenError("FORBIDDEN", "The key may not do that", 403)
        yield

    monkeypatch.setattr(AsyncClient, "subjects", forbidden)
    for counts in ("3 enrolled, 0 already enrolled", "0 enrolled, 3 already enrolled"):
        assert counts in run("gallery", "enrol", folder, *STAFF)[1]


async def test_a_limited_number_of_items_is_in_progress() -> None:
    in_progress, most = set[int](), 0

    async def work(item: int) -> None:
        nonlocal most
        in_progress.add(item)
        most = max(most, len(in_progress))
        await asyncio.sleep(0)
        in_progress.remove(item)

    await run_parallel(3, work, range(20))
    assert most == 3


DONE = [FileOutcome("anna", "a.jpg", "enrolled")]


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_a_report_file_has_a_row_per_photo(tmp_path: Path, suffix: str) -> None:
    async def nothing(_: FolderEnrolment) -> None: ...

    file = tmp_path / f"report.{suffix}"
    outcomes = [*DONE, FileOutcome("[b]\x1b", "\udcff.jpg", "refused", "CODE", "A sentence")]
    run_and_report(nothing, outcomes, file, DEFAULT_URL, None)
    text = file.read_text("utf-8")
    rows: list[dict[str, str]] = json.loads(text) if suffix == "json" else list(csv.DictReader(text.splitlines()))
    assert [row["status"] for row in rows] == ["enrolled", "refused"]
    assert (rows[1]["subject"], rows[1]["code"], rows[1]["message"]) == ("[b]\x1b", "CODE", "A sentence")


def test_what_was_done_is_reported_after_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    for error, message in ((KeyboardInterrupt(), "130"), (NoAnswerError("x"), "x; is the service")):

        async def fail(_: FolderEnrolment, error: BaseException = error) -> None:
            raise error

        with pytest.raises((SystemExit, CommandError), match=message):
            run_and_report(fail, DONE, None, DEFAULT_URL, None)
        assert capsys.readouterr().out == "1 enrolled, 0 already enrolled, 0 refused\n"
