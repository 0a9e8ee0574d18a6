"""The one writer over time: who else wants to write, what was cut short, upkeep, and commits side by side."""

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gallery.writer
from gallery.disk import GalleryInUseError
from gallery.location import Location
from gallery.reader import Reader
from gallery.records import EmbeddingKind, NewFace
from gallery.tables import face_rows
from gallery.writer import Writer
from tests.gallery.sample_gallery import (
    KIND,
    NAME,
    SIZE,
    enrol,
    face,
    found,
    in_loop,
    listed,
    people,
    refusal,
    statuses,
    table_folder,
    vectors,
    versions,
    with_vector,
    writing,
)


@in_loop
async def test_a_patient_writer_waits_for_the_one_before_it(location: Location) -> None:
    first = await Writer.open(location)
    waiting = asyncio.create_task(Writer.open(location, patience=20))
    await asyncio.sleep(0.5)
    assert not waiting.done()
    await first.create(NAME, KIND, None)
    await first.close()
    second = await asyncio.wait_for(waiting, 5)
    assert [collection.name for collection in second.collections] == [NAME]
    await second.close()


@in_loop
async def test_a_writer_that_cannot_open_the_gallery_keeps_nobody_out(location: Location, tmp_path: Path) -> None:
    async with writing(location) as writer:
        [collection] = writer.collections
    hidden = tmp_path / "hidden"
    (table_folder(location, "collections") / "_versions").rename(hidden)
    (table_folder(location, "collections") / "_versions").write_bytes(b"no folder")
    for _ in range(2):
        with pytest.raises(Exception, match=r"(?i)collections|directory") as caught:
            await Writer.open(location)
        assert not isinstance(caught.value, GalleryInUseError)
    (table_folder(location, "collections") / "_versions").unlink()
    hidden.rename(table_folder(location, "collections") / "_versions")
    async with writing(location, collection=None) as writer:
        assert writer.collections == [collection]


@in_loop
async def test_a_dropping_that_was_cut_short_is_finished(location: Location) -> None:
    async with writing(location) as writer:
        await writer.create("kept", KIND, None)
        await enrol(writer, face("Ada"))
        await enrol(writer, face("Bob"), name="kept")
        collection = await Reader(location, 8).collection(NAME)
        await writer._register(collection, dropped=True)
        assert [each.name for each in await Reader(location, 8).collections()] == ["kept"]
    assert table_folder(location, collection.table).is_dir()
    async with writing(location, collection=None) as writer:
        assert [each.name for each in writer.collections] == ["kept"]
        assert not table_folder(location, collection.table).exists()
        await writer.create(NAME, KIND, None)
        assert await statuses(writer, face("Ada")) == ["enrolled"]
    assert sorted(await listed(location, "kept")) == ["Bob"]


@in_loop
async def test_many_write_at_once_and_nothing_is_lost_or_double(location: Location) -> None:
    tasks, each, embeddings = 8, 40, vectors(8 * 40)

    def batch(task: int, start: int) -> list[NewFace]:
        rows = range(start, start + 8)
        return [face(f"{task}-{row}", embeddings[task * each + row]) for row in rows]

    async with writing(location) as writer:
        await enrol(writer, *(face(f"gone-{number}", vector) for number, vector in enumerate(vectors(10, seed=1))))
        reader = Reader(location, 8)
        seen = 0

        async def enrolling(task: int) -> None:
            for start in range(0, each, 8):
                # Every other task sends what its neighbour sends, too.
                assert len(await enrol(writer, *batch(task, start), *batch(task // 2 * 2, start))) == 16
                subject = f"{task}-{start}"
                assert (await found(reader, embeddings[task * each + start], 1)) == [subject]

        async def deleting() -> None:
            for number in range(10):
                assert await writer.delete_subjects(NAME, [f"gone-{number}"]) == 1
                await asyncio.sleep(0)

        async def searching() -> None:
            nonlocal seen
            for _ in range(20):
                [hits] = await reader.search(await reader.collection(NAME), [embeddings[0]], 10)
                assert len({hit.subject for hit in hits}) == len(hits)
                seen = max(seen, len(hits))
                await asyncio.sleep(0.005)

        await asyncio.gather(*map(enrolling, range(tasks)), deleting(), searching(), writer.optimise())
        assert seen == 10
    assert sorted(await listed(location)) == sorted(f"{task}-{row}" for task in range(tasks) for row in range(each))


@in_loop
async def test_an_optimisation_merges_the_files_of_many_commits(location: Location) -> None:
    async with writing(location) as writer:
        files = table_folder(location, (await Reader(location, 8).collection(NAME)).table) / "data"
        for each in people(gallery.writer.FEW_COMMITS - 1):
            await enrol(writer, each)
        before = await versions(location)
        await writer.optimise()
        assert await versions(location) == before
        assert writer.busiest == gallery.writer.FEW_COMMITS - 1
        await enrol(writer, face("one more"))
        await writer.optimise()
        assert await versions(location) > before + 1
        assert writer.busiest == 0
        assert await writer.clean()
        assert len(list(files.iterdir())) == 1
    assert len(await listed(location)) == gallery.writer.FEW_COMMITS


@in_loop
async def test_a_writer_cleans_again_only_what_was_changed(location: Location) -> None:
    async with writing(location) as writer:
        await enrol(writer, *people(3))
        await writer.clean()
        before = await versions(location)
        assert await writer.clean() == {NAME: 0}
        assert await versions(location) == before
        await writer.delete_subjects(NAME, ["subject-1"])
        assert (await writer.clean())[NAME] > 0
        assert await versions(location) > before


@in_loop
async def test_a_clock_that_was_set_back_hides_nothing(location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = people(3)
    reader = Reader(location, 8)
    async with writing(location) as writer:
        await enrol(writer, first)
        assert await found(reader, first.embedding) == [first.subject]
        monkeypatch.setattr("gallery.writer.time.time_ns", lambda: 1)
        await enrol(writer, second)
        assert sorted(await found(reader, first.embedding)) == [first.subject, second.subject]
    async with writing(location) as writer:
        await enrol(writer, third)
        await enrol(writer, with_vector(first, -first.embedding), replace=True)
        assert await found(reader, -first.embedding, 1) == [first.subject]
        assert len(await found(reader, first.embedding)) == 3


@in_loop
async def test_two_merges_at_once_do_not_insert_the_same_face_twice(location: Location) -> None:
    """What no lock prevents on an object store."""
    async with writing(location) as writer:
        [collection] = writer.collections
        tables = [await (await location.connect()).open_table(collection.table) for _ in range(2)]
        for number in range(5):
            faces = [replace(new, source=str(number)) for new in people(10, number)]
            each = [(new.id, new.subject, new.label, collection.created, new.embedding) for new in faces]
            rows = face_rows(each, SIZE, number, None)
            merges = (table.merge_insert("id").when_not_matched_insert_all().execute(rows) for table in tables)
            await asyncio.gather(*merges)
    assert [len(faces) for faces in (await listed(location)).values()] == [5] * 10


@in_loop
async def test_each_collection_has_its_own_faces(location: Location) -> None:
    async with writing(location) as writer:
        await writer.create("others", EmbeddingKind("facenet", "m", "c", 4), None)
        await enrol(writer, face("Ada"))
        await enrol(
            writer,
            face("Ada", np.ones(4, np.float32)),
            face("Bob", -np.ones(4, np.float32)),
            name="others",
            contract="c",
        )
        await writer.delete_subjects(NAME, ["Ada", "Bob"])
    assert await listed(location) == {}
    assert sorted(await listed(location, "others")) == ["Ada", "Bob"]


@in_loop
async def test_a_collection_that_is_damaged_under_the_writer_keeps_no_other_from_being_changed(
    location: Location,
) -> None:
    first, second, deleted = people(3)
    # By name, one is before the damaged one and one behind it.
    names = ("a", NAME, "z")
    async with writing(location) as writer:
        for name in names:
            await writer.create(name, KIND, None, exist_ok=True)
            await enrol(writer, first, deleted, name=name)
        tables = {collection.name: table_folder(location, collection.table) for collection in writer.collections}
        shutil.rmtree(tables[NAME] / "data")
        for change in (
            enrol(writer, with_vector(first, -first.embedding), replace=True),
            writer.delete_subjects(NAME, [first.subject]),
        ):
            assert await refusal(change) == "COLLECTION_UNREADABLE"
        for name in ("a", "z"):
            [added] = await enrol(writer, second, name=name)
            assert added.status == "enrolled"
            assert await writer.delete_subjects(name, [deleted.subject]) == 1
        assert await refusal(writer.clean()) == "COLLECTION_UNREADABLE"
        for name in ("a", "z"):
            assert not any(
                deleted.embedding.tobytes() in path.read_bytes() for path in (tables[name] / "data").iterdir()
            )
        await writer.drop(NAME)
        assert await writer.clean() == {"a": 0, "z": 0}
