"""Erasing deleted faces from indexes and dropped collections. `test_changes` tests any sequence of changes."""

import os
from collections.abc import Sequence

import pytest

import gallery.maintenance
import gallery.writer
from gallery.location import Location
from gallery.reader import Reader
from gallery.records import NewFace, normalised, subject_key
from gallery.writer import Writer
from tests.gallery.sample_gallery import NAME, SIZE, enrol, face, found, listed, people, vectors, writing

pytestmark = pytest.mark.anyio


def parts(of: NewFace) -> list[bytes]:
    """The stored embedding in pieces of sixteen bytes."""
    stored = normalised(of.embedding, SIZE).tobytes()
    return [stored[start : start + 16] for start in range(0, len(stored), 16)]


def texts(of: NewFace) -> list[bytes]:
    """The texts that identify the subject and the face."""
    return [of.subject.encode(), subject_key(of.subject).encode(), of.id.encode(), of.label.encode()]


def everything(of: Sequence[NewFace]) -> list[bytes]:
    return [part for each in of for part in [*parts(each), *texts(each)]]


def traces(location: Location, wanted: Sequence[bytes]) -> list[str]:
    """The files that contain any of the `wanted` bytes, with those bytes."""
    assert location.folder is not None
    files = {path: path.read_bytes() for path in location.folder.rglob("*") if path.is_file()}
    return [f"{path}: {part!r}" for path, content in files.items() for part in wanted if part in content]


def written(location: Location, faces: Sequence[NewFace]) -> bool:
    """Whether some file contains each embedding and each subject, so that searching for them proves something."""
    wanted = [part for each in faces for part in [*parts(each), *texts(each)[:2]]]
    found = traces(location, wanted)
    return all(any(trace.endswith(repr(part)) for trace in found) for part in wanted)


def strangers(count: int) -> list[NewFace]:
    """Faces whose texts occur in no other face."""
    return [face(f"Stranger No. {n:03}!", vector, f"secret-{n:03}") for n, vector in enumerate(vectors(count, 99))]


def subjects(faces: Sequence[NewFace]) -> list[str]:
    return [each.subject for each in faces]


async def erased(location: Location, writer: Writer, gone: Sequence[NewFace], left: Sequence[NewFace]) -> None:
    """Clean up, and check that nothing of the deleted faces is left, and everything of the others."""
    assert written(location, gone)
    await writer.clean()
    assert traces(location, everything(gone)) == []
    assert sorted(await listed(location)) == sorted(subjects(left))
    reader = Reader(location, 8)
    for each in left[::7]:
        assert await found(reader, each.embedding, 1) == [each.subject]
        assert written(location, [each])


@pytest.mark.parametrize(("optimised", "share"), [("never", 3), ("before", 3), ("after", 3), ("after", 90)])
async def test_indexed_faces(location: Location, monkeypatch: pytest.MonkeyPatch, optimised: str, share: int) -> None:
    monkeypatch.setattr(gallery.writer, "FEW_COMMITS", 1)
    monkeypatch.setattr(gallery.maintenance, "KEYED_ROWS", 50)
    gone, left = strangers(share), people(300)
    async with writing(location, index_rows=300) as writer:
        await enrol(writer, *left[:150], *gone, *left[150:])
        if optimised != "never":
            await writer.optimise()
            assert any("_indices" in trace for trace in traces(location, texts(gone[0])))
        await writer.delete_subjects(NAME, subjects(gone))
        if optimised == "after":
            await writer.optimise()
        await erased(location, writer, gone, left)
        # The next deletion finds the indexes as the clean-up left them.
        await writer.delete_subjects(NAME, [left[0].subject])
        await writer.clean()
        assert traces(location, [*parts(left[0]), subject_key(left[0].subject).encode(), left[0].id.encode()]) == []
        assert await found(Reader(location, 0), left[7].embedding, 1) == [left[7].subject]


async def test_indexes_of_a_table_that_was_larger(
    location: Location, monkeypatch: pytest.MonkeyPatch, writer: Writer
) -> None:
    monkeypatch.setattr(gallery.maintenance, "KEYED_ROWS", 50)
    gone, left = strangers(60), people(60)
    await enrol(writer, *gone)
    await writer.clean()
    await writer.delete_subjects(NAME, subjects(gone))
    await enrol(writer, *left)
    await erased(location, writer, gone, left)
    await writer.delete_subjects(NAME, subjects(left))
    await erased(location, writer, left, [])


async def test_old_files_are_deleted_only_after_the_new_ones_are_on_disk(
    location: Location, monkeypatch: pytest.MonkeyPatch, writer: Writer
) -> None:
    assert location.folder is not None
    folder, synced = location.folder, dict[int, set[str]]()

    def files() -> set[str]:
        return {str(path) for path in folder.rglob("*.lance") if path.is_file()}

    def fsync(file: int) -> None:
        synced.setdefault(os.fstat(file).st_ino, set()).update(files())

    gone, left = strangers(1), people(30)
    await enrol(writer, *left, *gone)
    await writer.delete_subjects(NAME, subjects(gone))
    before = files()
    monkeypatch.setattr("gallery.disk.os.fsync", fsync)
    await erased(location, writer, gone, left)
    [table] = (folder / f"{collection.table}.lance" for collection in writer.collections)
    new = [path for path in table.rglob("*") if path.suffix in (".lance", ".manifest")]
    assert len(new) == 2
    for path in [*new, table, table / "data", table / "_versions"]:
        assert synced[path.stat().st_ino] >= before


async def test_a_dropped_collection_is_erased_at_once(location: Location, writer: Writer) -> None:
    gone = strangers(8)
    await writer.create("kept", writer.collections[0].kind, None)
    await enrol(writer, *people(8), name="kept")
    await enrol(writer, *gone[:4])
    await enrol(writer, *gone[4:])
    assert written(location, gone)
    await writer.drop(NAME)
    assert traces(location, everything(gone)) == []
    assert len(await listed(location, "kept")) == 8


async def test_a_clean_up_reports_the_bytes_freed_and_leaves_unchanged_collections_alone(writer: Writer) -> None:
    await writer.create("empty", writer.collections[0].kind, None)
    for subject in ("subject-1", "subject-2"):
        await enrol(writer, *people(30))
        await writer.delete_subjects(NAME, [subject])
        freed = await writer.clean()
        assert sorted(freed) == ["empty", NAME]
        assert freed[NAME] > 30 * SIZE * 4
        assert await writer.clean() == {"empty": 0, NAME: 0}
