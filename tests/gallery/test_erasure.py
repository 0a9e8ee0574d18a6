"""After a clean-up, no file of the gallery contains anything of a deleted face."""

import os
from collections.abc import Sequence

import pytest

import gallery.maintenance
import gallery.writer
from gallery.location import Location
from gallery.reader import Reader
from gallery.records import NewFace, normalised, subject_key
from gallery.writer import Writer
from tests.gallery.sample_gallery import (
    NAME,
    SIZE,
    enrol,
    face,
    found,
    in_loop,
    listed,
    people,
    vectors,
    with_vector,
    writing,
)


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


@in_loop
@pytest.mark.parametrize("others", [0, 1, 40])
@pytest.mark.parametrize("alone", [False, True])
async def test_deleted_subjects(location: Location, others: int, alone: bool) -> None:
    """A face that is alone in its file is dropped with the file at once, but the manifest names it."""
    [gone, *more], left = strangers(3), people(others)
    async with writing(location) as writer:
        await enrol(writer, *left, *([] if alone else [gone, *more]))
        await writer.clean()
        await enrol(writer, gone, *more)
        await writer.delete_subjects(NAME, subjects([gone, *more]))
    # A new process erases what an earlier one deleted.
    async with writing(location) as writer:
        await erased(location, writer, [gone, *more], left)
        # A subject that is enrolled again can be deleted again.
        await enrol(writer, gone)
        assert len(await listed(location)) == others + 1
        await writer.delete_subjects(NAME, [gone.subject])
        await erased(location, writer, [gone], left)


@in_loop
async def test_one_face_of_a_subject(location: Location) -> None:
    first, second = vectors(2, 5)
    kept, gone = face("Ada", first, "first"), face("Ada", second, "second")
    async with writing(location) as writer:
        await enrol(writer, kept, gone, *people(30))
        assert await writer.delete_face(NAME, gone.id) == 1
        assert written(location, [gone])
        await writer.clean()
        assert traces(location, [*parts(gone), gone.id.encode(), b"second.jpg"]) == []
        assert written(location, [kept])
    assert len(await listed(location)) == 31


@in_loop
async def test_replaced_faces(location: Location) -> None:
    left, (old, older) = people(30), (face("Ada", vector, str(n)) for n, vector in enumerate(vectors(2, seed=99)))
    async with writing(location) as writer:
        await enrol(writer, *left, old, older)
        new = with_vector(old, vectors(1, seed=98)[0])
        await enrol(writer, new, replace=True)
        assert written(location, [old, older])
        await writer.clean()
        assert traces(location, [*parts(old), *parts(older), older.id.encode()]) == []
        assert await found(Reader(location, 8), new.embedding, 1) == ["Ada"]
    every = await listed(location)
    assert [stored.face_id for stored in every["Ada"]] == [new.id]
    assert len(every) == 31


@in_loop
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


@in_loop
async def test_all_faces_of_a_file_and_an_index(location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery.writer, "FEW_COMMITS", 1)
    monkeypatch.setattr(gallery.maintenance, "KEYED_ROWS", 50)
    gone, left = strangers(60), people(60)
    async with writing(location) as writer:
        await enrol(writer, *gone)
        await writer.clean()
        await writer.delete_subjects(NAME, subjects(gone))
        await enrol(writer, *left)
        await erased(location, writer, gone, left)
        await writer.delete_subjects(NAME, subjects(left))
        await erased(location, writer, left, [])


@in_loop
async def test_old_files_are_deleted_only_after_the_new_ones_are_on_disk(
    location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert location.folder is not None
    folder, synced = location.folder, dict[int, set[str]]()

    def files() -> set[str]:
        return {str(path) for path in folder.rglob("*.lance") if path.is_file()}

    def fsync(file: int) -> None:
        synced.setdefault(os.fstat(file).st_ino, set()).update(files())

    gone, left = strangers(1), people(30)
    async with writing(location) as writer:
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


@in_loop
async def test_a_dropped_collection_is_erased_at_once(location: Location) -> None:
    gone = strangers(8)
    async with writing(location) as writer:
        await writer.create("kept", writer.collections[0].kind, None)
        await enrol(writer, *people(8), name="kept")
        await enrol(writer, *gone[:4])
        await enrol(writer, *gone[4:])
        assert written(location, gone)
        await writer.drop(NAME)
        assert traces(location, everything(gone)) == []
    assert len(await listed(location, "kept")) == 8


@in_loop
async def test_a_clean_up_reports_the_bytes_freed_and_leaves_unchanged_collections_alone(location: Location) -> None:
    async with writing(location) as writer:
        await writer.create("empty", writer.collections[0].kind, None)
        for subject in ("subject-1", "subject-2"):
            await enrol(writer, *people(30))
            await writer.delete_subjects(NAME, [subject])
            freed = await writer.clean()
            assert sorted(freed) == ["empty", NAME]
            assert freed[NAME] > 30 * SIZE * 4
            assert await writer.clean() == {"empty": 0, NAME: 0}
