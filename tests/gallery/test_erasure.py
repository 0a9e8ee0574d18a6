"""What was deleted is in no file after a clean-up."""

import os
from collections.abc import Sequence

import pytest

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
    """Sixteen bytes each of the embedding as it is stored."""
    stored = normalised(of.embedding, SIZE).tobytes()
    return [stored[start : start + 16] for start in range(0, len(stored), 16)]


def texts(of: NewFace) -> list[bytes]:
    """What stands for the subject and the face."""
    return [of.subject.encode(), subject_key(of.subject).encode(), of.id.encode(), of.label.encode()]


def contents(location: Location) -> dict[str, bytes]:
    assert location.folder is not None
    files = [path for path in location.folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(location.folder)): path.read_bytes() for path in files}


def traces(location: Location, wanted: Sequence[bytes]) -> list[str]:
    """The files that have any of what is wanted in them, with what it is."""
    return [f"{name}: {part!r}" for name, has in contents(location).items() for part in wanted if part in has]


def written(location: Location, faces: Sequence[NewFace]) -> bool:
    """Whether every embedding and every subject is in some file, so that looking for them makes sense."""
    everything = b"".join(contents(location).values())
    return all(part in everything for each in faces for part in [*parts(each), *texts(each)[:2]])


def strangers(count: int) -> list[NewFace]:
    """Faces whose texts are in nobody else's."""
    made = vectors(count, seed=99)
    return [face(f"Stranger No. {number:03}!", vector, f"secret-{number:03}") for number, vector in enumerate(made)]


async def erased(location: Location, writer: Writer, gone: Sequence[NewFace], left: Sequence[NewFace]) -> None:
    """Cleans up, and checks that nothing of those who are gone is left, and all of the others."""
    assert written(location, gone)
    await writer.clean()
    assert traces(location, [part for each in gone for part in [*parts(each), *texts(each)]]) == []
    assert sorted(await listed(location)) == sorted(each.subject for each in left)
    reader = Reader(location, 8)
    for each in left[::7]:
        assert await found(reader, each.embedding, 1) == [each.subject]
        assert written(location, [each])


@in_loop
async def test_one_of_many(location: Location) -> None:
    [gone], left = strangers(1), people(40)
    async with writing(location) as writer:
        await enrol(writer, *left[:20], gone, *left[20:])
        assert await writer.delete_subjects(NAME, [gone.subject]) == 1
        await erased(location, writer, [gone], left)


@in_loop
async def test_one_face_of_a_subject(location: Location) -> None:
    async with writing(location) as writer:
        kept, gone = (
            face("Ada", vector, source) for vector, source in zip(vectors(2, 5), ("first", "second"), strict=True)
        )
        await enrol(writer, kept, gone, *people(30))
        assert await writer.delete_face(NAME, gone.id) == 1
        assert all(traces(location, [part]) for part in parts(gone))
        await writer.clean()
        assert traces(location, [*parts(gone), gone.id.encode(), b"second.jpg"]) == []
        assert all(traces(location, [part]) for part in parts(kept))
    assert len(await listed(location)) == 31


@in_loop
@pytest.mark.parametrize("others", [0, 1, 3])
async def test_whoever_was_alone_in_a_file(location: Location, others: int) -> None:
    """Lance drops the file of a face at once then, and what says so names the face."""
    [gone], left = strangers(1), people(others)
    async with writing(location) as writer:
        await enrol(writer, *left)
        await writer.clean()
        await enrol(writer, gone)
        await writer.delete_subjects(NAME, [gone.subject])
        await erased(location, writer, [gone], left)


@in_loop
async def test_everybody(location: Location) -> None:
    gone = strangers(5)
    async with writing(location) as writer:
        await enrol(writer, *gone)
        await writer.delete_subjects(NAME, [each.subject for each in gone])
        await erased(location, writer, gone, [])
        await erased_again(location, writer, gone)


async def erased_again(location: Location, writer: Writer, gone: Sequence[NewFace]) -> None:
    """Who comes back is there, and can go again."""
    await enrol(writer, *gone)
    assert len(await listed(location)) == len(gone)
    await writer.delete_subjects(NAME, [each.subject for each in gone])
    await erased(location, writer, gone, [])


@in_loop
async def test_a_replaced_embedding_and_replaced_faces(location: Location) -> None:
    left, (old, older) = people(30), (face("Ada", vector, str(n)) for n, vector in enumerate(vectors(2, seed=99)))
    async with writing(location) as writer:
        await enrol(writer, *left, old, older)
        new = with_vector(old, vectors(1, seed=98)[0])
        await enrol(writer, new, replace=True)
        assert all(traces(location, [part]) for part in [*parts(old), *parts(older)])
        await writer.clean()
        assert traces(location, [*parts(old), *parts(older), older.id.encode()]) == []
        assert await found(Reader(location, 8), new.embedding, 1) == ["Ada"]
    every = await listed(location)
    assert [stored.face_id for stored in every["Ada"]] == [new.id]
    assert len(every) == 31


@in_loop
@pytest.mark.parametrize(("optimised", "share"), [("never", 3), ("before", 3), ("after", 3), ("after", 90)])
async def test_whoever_is_in_an_index(
    location: Location, monkeypatch: pytest.MonkeyPatch, optimised: str, share: int
) -> None:
    monkeypatch.setattr(gallery.writer, "FEW_COMMITS", 1)
    monkeypatch.setattr(gallery.maintenance, "KEYED_ROWS", 50)
    gone, left = strangers(share), people(300)
    async with writing(location, index_rows=300) as writer:
        await enrol(writer, *left[:150], *gone, *left[150:])
        if optimised != "never":
            await writer.optimise()
            assert any("_indices" in trace for trace in traces(location, texts(gone[0])))
        await writer.delete_subjects(NAME, [each.subject for each in gone])
        if optimised == "after":
            await writer.optimise()
        await erased(location, writer, gone, left)
        # Also where the index is as it was, and somebody else goes.
        await writer.delete_subjects(NAME, [left[0].subject])
        await writer.clean()
        assert traces(location, [*parts(left[0]), subject_key(left[0].subject).encode(), left[0].id.encode()]) == []
        assert await found(Reader(location, 0), left[7].embedding, 1) == [left[7].subject]


@in_loop
async def test_whoever_was_alone_in_a_file_and_in_an_index(location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery.writer, "FEW_COMMITS", 1)
    monkeypatch.setattr(gallery.maintenance, "KEYED_ROWS", 50)
    gone, left = strangers(60), people(60)
    async with writing(location) as writer:
        await enrol(writer, *gone)
        await writer.clean()
        await writer.delete_subjects(NAME, [each.subject for each in gone])
        await enrol(writer, *left)
        await erased(location, writer, gone, left)
        await writer.delete_subjects(NAME, [each.subject for each in left])
        await erased(location, writer, left, [])


@in_loop
async def test_nothing_old_is_erased_before_the_new_is_on_the_disk(
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
        await writer.delete_subjects(NAME, [gone[0].subject])
        before = files()
        monkeypatch.setattr("gallery.writer.os.fsync", fsync)
        await erased(location, writer, gone, left)
        [table] = (folder / f"{collection.table}.lance" for collection in writer.collections)
    hints = [path for path in table.rglob("*") if path.suffix in (".lance", ".manifest")]
    assert len(hints) == 2
    for path in [*hints, table, table / "data", table / "_versions"]:
        assert synced[path.stat().st_ino] >= before


@in_loop
async def test_what_an_earlier_process_deleted(location: Location) -> None:
    gone, left = strangers(2), people(30)
    async with writing(location) as writer:
        await enrol(writer, *left, *gone)
        await writer.delete_subjects(NAME, [each.subject for each in gone])
    async with writing(location) as writer:
        await erased(location, writer, gone, left)


@in_loop
async def test_a_dropped_collection_at_once(location: Location) -> None:
    gone = strangers(8)
    async with writing(location) as writer:
        await writer.create("kept", writer.collections[0].kind, None)
        await enrol(writer, *people(8), name="kept")
        await enrol(writer, *gone[:4])
        await enrol(writer, *gone[4:])
        assert written(location, gone)
        await writer.drop(NAME)
        assert traces(location, [part for each in gone for part in [*parts(each), *texts(each)]]) == []
    assert len(await listed(location, "kept")) == 8


@in_loop
async def test_a_clean_up_tells_what_it_freed_and_leaves_a_clean_gallery_alone(location: Location) -> None:
    async with writing(location) as writer:
        await writer.create("empty", writer.collections[0].kind, None)
        await enrol(writer, *people(30))
        await writer.delete_subjects(NAME, ["subject-1"])
        freed = await writer.clean()
        assert sorted(freed) == ["empty", NAME]
        assert freed[NAME] > 30 * SIZE * 4
        assert await writer.clean() == {"empty": 0, NAME: 0}
    assert len(await listed(location)) == 29
