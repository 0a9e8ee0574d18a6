"""Erasing deleted faces: from indexes, and only after a sync. `test_changes` tests any sequence of changes."""

import os
import shutil
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest

from gallery.reading.reader import Reader
from gallery.records import KeptAnswer, NewFace
from gallery.writing.writer import Writer
from tests.gallery.sample_gallery import (
    NAME,
    SIZE,
    Storage,
    enrol,
    face,
    found,
    people,
    refusal,
    stored_bytes,
    traceable_faces,
    writing,
)


async def erased(
    location: Storage, writer: Writer, gone: Sequence[NewFace], left: Sequence[NewFace], optimise: bool = False
) -> None:
    """Delete faces and clean up. Check that no trace of them is left, and every trace of the others."""
    await writer.delete_subjects(NAME, [each.subject for each in gone])
    if optimise:
        await writer.optimise()
    # With fewer traces, finding none would prove nothing.
    assert len(location.traces(gone)) > 6 * len(gone)
    await writer.clean()
    assert location.traces(gone) == []
    assert sorted(await location.listed()) == sorted(each.subject for each in left)
    for each in left[::7]:
        assert await found(Reader(location, 0), each.embedding, 1) == [each.subject]


@pytest.mark.usefixtures("early_indexes")
async def test_deleted_faces_are_erased_from_indexes_even_if_the_table_becomes_too_small_for_them(
    location: Storage,
) -> None:
    faces = traceable_faces(90)
    async with writing(location, index_rows=80) as writer:
        await enrol(writer, *faces)
        await writer.optimise()
        for start, stop in ((0, 3), (3, 20), (20, 60), (60, 90)):
            await erased(location, writer, faces[start:stop], faces[stop:], optimise=start == 0)


async def test_old_files_are_deleted_only_after_the_new_ones_are_on_disk(
    location: Storage, monkeypatch: pytest.MonkeyPatch, writer: Writer
) -> None:
    folder, synced = location.files, dict[int, set[str]]()

    def files() -> set[str]:
        return {str(path) for path in folder.rglob("*.lance") if path.is_file()}

    def fsync(file: int) -> None:
        synced.setdefault(os.fstat(file).st_ino, set()).update(files())

    gone, left = traceable_faces(1), people(30)
    await enrol(writer, *left, *gone)
    before = files()
    monkeypatch.setattr("gallery.storage.disk.os.fsync", fsync)
    await erased(location, writer, gone, left)
    [table] = (folder / f"{collection.table}.lance" for collection in writer.collections)
    new = [path for path in table.rglob("*") if path.suffix in (".lance", ".manifest")]
    assert len(new) == 2
    for path in [*new, table, table / "data", table / "_versions"]:
        assert synced[path.stat().st_ino] >= before


async def test_files_left_by_a_killed_process_are_erased(location: Storage, writer: Writer) -> None:
    gone, left = traceable_faces(1), people(3)
    await enrol(writer, *left, *gone)
    [data] = location.files.glob("faces-*/data/*.lance")
    shutil.copy(data, data.with_name("unfinished.lance"))
    await erased(location, writer, gone, left)


async def test_former_ids_metadata_and_kept_answers_are_erased(location: Storage, writer: Writer) -> None:
    async def erases(*changes: Coroutine[Any, Any, object]) -> None:
        for change in changes:
            await change
        assert b"secret" in stored_bytes(location.files)
        await writer.clean()
        assert b"secret" not in stored_bytes(location.files)

    await enrol(writer, *people(30), face("Ada"))
    await writer.create_subject(NAME, "Carl", "request")
    # The first clean-up always runs, later ones only after a removal. A kept answer counts as one.
    await writer.clean()
    await erases(writer.keep_answer(NAME, KeptAnswer(("token", "digest"), "secret")))
    await erases(writer.create_subject(NAME, "secret", "request"), writer.delete_subjects(NAME, ["secret"]))
    await erases(writer.set_metadata(NAME, "Ada", {"a": "secret"}), writer.set_metadata(NAME, "Ada", {}))
    await erases(writer.rename_subject(NAME, "Ada", "secret"), writer.rename_subject(NAME, "secret", "Bob"))
    assert await refusal(writer.create_subject(NAME, "Carl", "another")) == "SUBJECT_EXISTS"


async def test_a_clean_up_reports_the_bytes_freed_and_leaves_unchanged_collections_alone(writer: Writer) -> None:
    await writer.create("empty", writer.collections[0].kind, None)
    for subject in ("subject-1", "subject-2"):
        await enrol(writer, *people(30))
        await writer.delete_subjects(NAME, [subject])
        freed = await writer.clean()
        assert sorted(freed) == ["empty", NAME]
        assert freed[NAME] > 30 * SIZE * 4
        assert await writer.clean() == {"empty": 0, NAME: 0}
