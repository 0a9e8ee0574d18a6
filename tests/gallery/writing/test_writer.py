"""The writer: collections, refusals, concurrent changes, and interrupted ones.

The results of changes are tested in `test_changes`.
"""

import asyncio
import shutil
import time
from dataclasses import replace
from unittest.mock import AsyncMock

import numpy as np
import pytest
from lancedb import AsyncTable

import gallery.writing.maintainer
import gallery.writing.maintenance
import gallery.writing.writer
from gallery.reading.reader import Reader
from gallery.records import NewFace
from gallery.storage.disk import GalleryInUseError
from gallery.writing.registry import Registry
from gallery.writing.writer import Writer
from tests.gallery.sample_gallery import (
    HOSTILE,
    KIND,
    NAME,
    SIZE,
    Storage,
    enrol,
    face,
    found,
    fragments,
    people,
    refusal,
    traceable_faces,
    vectors,
    writing,
)
from tests.waiting import TIMEOUT_S


async def test_collections_are_kept_with_their_thresholds(location: Storage) -> None:
    async with writing(location, collection=None) as writer:
        created = await writer.create(NAME, KIND, 0.25)
        other = await writer.create("animals", replace(KIND, size=4), None)
        await enrol(writer, face("Ada"))
        assert (created.name, created.kind, created.threshold) == (NAME, KIND, 0.25)
        assert created.created.utcoffset() is not None
        assert await writer.create(NAME, KIND, 0.75, exist_ok=True) == created
        for kind in (replace(KIND, **{field: "other"}) for field in ("contract", "model", "embedder")):  # type: ignore[arg-type]
            assert await refusal(writer.create(NAME, kind, 0.25, exist_ok=True)) == "COLLECTION_EXISTS"
        assert await refusal(writer.create(NAME, KIND, 0.25)) == "COLLECTION_EXISTS"
        for threshold in (-1.0, None, 0.0):
            changed = replace(created, threshold=threshold)
            assert await writer.set_threshold(NAME, threshold) == changed
            assert await Reader(location, 8).collections() == writer.collections == [other, changed]
        assert await refusal(writer.set_threshold("nobody", 0.5)) == "COLLECTION_NOT_FOUND"
    async with writing(location, collection=None) as writer:
        assert writer.collections == [other, changed]
    assert list(await location.listed()) == ["Ada"]


async def test_a_dropped_collection_is_gone_and_its_name_is_free(
    location: Storage, writer: Writer, reader: Reader
) -> None:
    await enrol(writer, face("Ada"))
    assert await found(reader, vectors(1)[0]) == ["Ada"]
    old = await reader.collection(NAME)
    assert await refusal(writer.drop(NAME, only_empty=True)) == "COLLECTION_NOT_EMPTY"
    await writer.drop(NAME)
    assert not location.table_folder(old.table).exists()
    assert await reader.collections() == writer.collections == []
    for asked in (writer.drop(NAME), enrol(writer, face("Ada")), reader.collection(NAME)):
        assert await refusal(asked) == "COLLECTION_NOT_FOUND"
    new = await writer.create(NAME, replace(KIND, size=4, contract="new"), 0.5)
    assert await reader.collection(NAME) == new
    assert await found(reader, np.ones(4, np.float32)) == []
    await enrol(writer, face("Bob", np.ones(4, np.float32)), contract="new")
    assert await found(reader, np.ones(4, np.float32)) == ["Bob"]


async def test_dropping_a_collection_of_any_name_affects_no_other(writer: Writer, reader: Reader) -> None:
    for name in HOSTILE:
        await writer.create(name, KIND, None)
    for done, name in enumerate(HOSTILE, 1):
        assert await writer.delete_faces(name, [name]) == {}
        await writer.drop(name)
        assert [each.name for each in await reader.collections()] == sorted([*HOSTILE[done:], NAME])


async def test_a_refusal_changes_nothing(location: Storage, writer: Writer, reader: Reader) -> None:
    good = face("Bob")
    await enrol(writer, face("Ada"), request=("key", "digest"))
    before = await location.versions()
    assert await enrol(writer) == []
    assert await refusal(enrol(writer, request=("key", "other"))) == "IDEMPOTENCY_KEY_REUSED"
    assert await refusal(enrol(writer, good, contract="other")) == "EMBEDDING_CONTRACT_MISMATCH"
    assert await refusal(enrol(writer, good, name="nobody")) == "COLLECTION_NOT_FOUND"
    for replacing in (False, True):
        wrong = face("Cleo", np.ones(SIZE + 1, np.float32))
        assert await refusal(enrol(writer, good, wrong, replace=replacing)) == "INVALID_EMBEDDING"
    assert await refusal(enrol(writer, good, face("\u200b "))) == "INVALID_SUBJECT"
    assert await refusal(writer.delete_subjects(NAME, ["Ada", ""])) == "INVALID_SUBJECT"
    assert await refusal(reader.faces(await reader.collection(NAME), "")) == "INVALID_SUBJECT"
    # An earlier version may have enrolled a blank id.
    assert await writer.delete_subjects(NAME, ["\u200b "]) == 0
    assert await location.versions() == before
    assert list(await location.listed()) == ["Ada"]


async def test_times_and_sizes_are_listed(writer: Writer, reader: Reader) -> None:
    for number in range(3):
        await enrol(writer, face("Ada", source=str(number)))
    collection = await reader.collection(NAME)
    listing = await reader.faces(collection, "Ada")
    assert [stored.label for stored in listing] == ["0.jpg", "1.jpg", "2.jpg"]
    times = [stored.created for stored in listing]
    assert collection.created <= times[0] < times[1] < times[2]
    _, statistics = await reader.statistics(NAME)
    assert statistics.bytes > 3 * 4 * SIZE
    assert abs((statistics.changed - times[-1]).total_seconds()) < 30


async def test_there_is_one_writer_at_a_time_and_the_next_one_waits(location: Storage) -> None:
    async with writing(location):
        began = time.monotonic()
        for patience in (0, 0.3):
            with pytest.raises(GalleryInUseError):
                await Writer.open(location, patience=patience)
        assert time.monotonic() - began >= 0.3
        waiting = asyncio.create_task(Writer.open(location, patience=20))
        await asyncio.sleep(0.3)
        assert not waiting.done()
    second = await asyncio.wait_for(waiting, TIMEOUT_S)
    assert [collection.name for collection in second.collections] == [NAME]
    await second.close()


async def test_a_writer_that_fails_to_open_releases_the_lock(
    location: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(gallery.writing.writer, "recover", AsyncMock(side_effect=OSError("damaged")))
        with pytest.raises(OSError, match="damaged"):
            await Writer.open(location)
    async with writing(location):
        pass


async def test_an_interrupted_drop_is_completed(location: Storage) -> None:
    async with writing(location) as writer:
        kept = await writer.create("kept", KIND, None)
        await enrol(writer, face("Ada"))
        collection = await Reader(location, 8).collection(NAME)
        await (await Registry.open(location)).register(collection, dropped=True)
        assert await Reader(location, 8).collections() == [kept]
    async with writing(location, collection=None) as writer:
        assert writer.collections == [kept]
        assert not location.table_folder(collection.table).exists()
        await writer.create(NAME, KIND, None)
        assert await enrol(writer, face("Ada")) == ["enrolled"]


@pytest.mark.usefixtures("early_indexes")
async def test_changes_and_maintenance_at_the_same_time_lose_and_duplicate_nothing(
    location: Storage, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery.writing.maintenance, "SCATTERED_ROWS", 60)
    faces, gone = people(120), [face(f"gone-{number}", vector) for number, vector in enumerate(vectors(10, seed=1))]
    async with writing(location, index_rows=100) as writer:
        await enrol(writer, *gone, *faces[:20])

        async def enrolling(start: int) -> None:
            for row in range(start, start + 20, 5):
                # Each task also sends the faces of the next one.
                assert len(await enrol(writer, *faces[row : row + 25])) == len(faces[row : row + 25])
                assert await found(reader, faces[row].embedding, 1) == [faces[row].subject]

        async def removing() -> None:
            for each, kept in zip(gone, faces, strict=False):
                assert await writer.delete_subjects(NAME, [each.subject]) == 1
                assert await enrol(writer, kept, replace=True) == ["already"]

        async def maintaining() -> None:
            for work in (writer.optimise, writer.clean) * 4:
                await work()

        await asyncio.gather(*map(enrolling, range(0, 120, 20)), removing(), maintaining())
        assert {subject: len(stored) for subject, stored in (await location.listed()).items()} == {
            each.subject: 1 for each in faces
        }


async def test_an_optimisation_merges_the_files_of_many_commits(location: Storage, writer: Writer) -> None:
    files = location.table_folder((await Reader(location, 8).collection(NAME)).table) / "data"
    for each in people(gallery.writing.maintainer.FEW_COMMITS - 1):
        await enrol(writer, each)
    before = await location.versions()
    await writer.optimise()
    assert await location.versions() == before
    await enrol(writer, face("one more"))
    await writer.optimise()
    assert await location.versions() > before + 1
    await writer.clean()
    assert len(list(files.iterdir())) == 1
    assert len(await location.listed()) == gallery.writing.maintainer.FEW_COMMITS


async def test_an_optimisation_that_failed_is_not_urgent(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery.writing.maintainer, "FEW_COMMITS", 1)
    monkeypatch.setattr(gallery.writing.maintainer, "MANY_COMMITS", 2)
    monkeypatch.setattr(gallery.writing.maintenance, "merge_files", AsyncMock(side_effect=RuntimeError("killed")))
    for each in people(3):
        await enrol(writer, each)
    with pytest.raises(RuntimeError, match="killed"):
        await writer.optimise()
    assert not writer.optimisation_is_urgent


async def test_an_optimisation_is_urgent_after_many_commits_and_after_a_start(location: Storage) -> None:
    async with writing(location) as writer:
        await enrol(writer, *people(1))
        assert not writer.optimisation_is_urgent
        for each in people(gallery.writing.maintainer.MANY_COMMITS):
            await enrol(writer, each, replace=True)
        assert writer.optimisation_is_urgent
    async with writing(location) as writer:
        assert writer.optimisation_is_urgent
        await writer.optimise()
        assert not writer.optimisation_is_urgent


async def test_many_faces_of_one_commit_are_optimised(
    location: Storage, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery.writing.maintenance, "SCATTERED_ROWS", 5)
    await enrol(writer, *people(4))
    before = await location.versions()
    await writer.optimise()
    assert await location.versions() == before
    await enrol(writer, face("one more"))
    await writer.optimise()
    assert await location.versions() > before + 1


@pytest.fixture
async def faces(early_indexes: None, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> list[NewFace]:
    """58 faces, of which 50 are enrolled and indexed. Two new faces are gathered, seven are merged with the others."""
    monkeypatch.setattr(gallery.writing.maintenance, "SCATTERED_ROWS", 7)
    monkeypatch.setattr(gallery.writing.maintainer, "GATHER_COMMITS", 2)
    faces = people(58)
    await enrol(writer, *faces[:50])
    await writer.optimise()
    return faces


async def test_new_faces_of_an_indexed_collection_are_gathered_in_one_file_until_there_are_many(
    location: Storage, writer: Writer, faces: list[NewFace]
) -> None:
    # Gathering does not merge rows that are already gathered; the next optimisation does.
    for start, gather, files, outside in (
        (50, writer.gather, 2, 2),
        (52, writer.gather, 3, 4),
        (54, writer.optimise, 2, 6),
        (56, writer.optimise, 2, 0),
    ):
        await enrol(writer, faces[start])
        before = await location.versions()
        await writer.gather()
        assert await location.versions() == before
        await enrol(writer, faces[start + 1])
        await gather()
        assert await fragments(await location.table()) == files
        assert await location.unindexed("id") == outside
    assert len(await location.listed()) == len(faces)


async def test_new_faces_that_could_not_be_gathered_are_gathered_by_the_next_optimisation(
    location: Storage, writer: Writer, faces: list[NewFace], monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in faces[50:52]:
        await enrol(writer, each)
    with monkeypatch.context() as patched:
        patched.setattr(AsyncTable, "update", AsyncMock(side_effect=OSError(28, "No space left")))
        await writer.gather()
    assert await fragments(await location.table()) == 3
    await writer.optimise()
    assert await fragments(await location.table()) == 2


@pytest.mark.usefixtures("early_indexes")
async def test_many_small_files_of_an_indexed_collection_are_merged(
    location: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery.writing.maintenance, "SCATTERED_ROWS", 1000)
    monkeypatch.setattr(gallery.writing.maintenance, "SCATTERED_FILES", 3)
    faces = people(52)
    async with writing(location) as writer:
        await enrol(writer, *faces[:50])
        await writer.optimise()
    for number, outside in ((50, 1), (51, 0)):
        # A writer does not gather what an earlier one enrolled.
        async with writing(location) as writer:
            await enrol(writer, faces[number])
            await writer.optimise()
        assert await location.unindexed("id") == outside


@pytest.mark.usefixtures("early_indexes")
async def test_other_collections_are_optimised_while_one_is_cleaned(
    location: Storage, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def rewrite(_: AsyncTable) -> None:
        begun.set()
        await go_on.wait()

    monkeypatch.setattr(gallery.writing.maintenance, "rewrite", rewrite)
    await writer.create("z", KIND, None)
    for name in (NAME, "z"):
        for each in people(3):
            await enrol(writer, each, name=name)
    cleaning = asyncio.create_task(writer.clean())
    await begun.wait()
    await asyncio.wait_for(writer.optimise(), TIMEOUT_S)
    assert await fragments(await location.table("z")) == 1
    assert await fragments(await location.table()) == 3
    go_on.set()
    await cleaning


async def test_a_clock_that_was_set_back_hides_no_face(
    location: Storage, monkeypatch: pytest.MonkeyPatch, reader: Reader
) -> None:
    first, second, third = people(3)
    async with writing(location) as writer:
        await enrol(writer, first)
        assert await found(reader, first.embedding) == [first.subject]
        monkeypatch.setattr("gallery.writing.registry.time.time_ns", lambda: 1)
        await enrol(writer, second)
        assert len(await found(reader, first.embedding)) == 2
    async with writing(location) as writer:
        await enrol(writer, third)
        assert len(await found(reader, first.embedding)) == 3
        await enrol(writer, replace(first, embedding=-first.embedding), replace=True)
        assert await found(reader, -first.embedding, 1) == [first.subject]


async def test_a_clock_that_was_set_back_after_a_removal_hides_no_change(
    location: Storage, monkeypatch: pytest.MonkeyPatch, reader: Reader
) -> None:
    first, second, third = people(3)
    async with writing(location) as writer:
        await enrol(writer, first)
        with monkeypatch.context() as ahead:
            ahead.setattr("gallery.writing.registry.time.time_ns", lambda: int(time.time() + 3600) * 10**9)
            await enrol(writer, second)
            assert len(await found(reader, first.embedding)) == 2
            await writer.delete_subjects(NAME, [second.subject])
            assert await found(reader, first.embedding) == [first.subject]
    async with writing(location) as writer:
        await enrol(writer, third)
        await writer.delete_subjects(NAME, [first.subject])
        assert await found(reader, first.embedding) == [third.subject]


async def test_damage_to_one_collection_does_not_affect_changes_of_others(location: Storage, writer: Writer) -> None:
    first, second, deleted = people(3)
    # One sorts before the damaged collection, and one after it.
    others = ("a", "z")
    for name in ("a", NAME, "z"):
        await writer.create(name, KIND, None, exist_ok=True)
        await enrol(writer, first, deleted, name=name)
    data = {each.name: location.table_folder(each.table) / "data" for each in writer.collections}
    shutil.rmtree(data[NAME])
    for change in (enrol(writer, first, replace=True), writer.delete_subjects(NAME, [first.subject])):
        assert await refusal(change) == "COLLECTION_UNREADABLE"
    for name in others:
        assert await enrol(writer, second, name=name) == ["enrolled"]
        assert await writer.delete_subjects(name, [deleted.subject]) == 1
    assert await refusal(writer.clean()) == "COLLECTION_UNREADABLE"
    for name in others:
        assert not any(deleted.embedding.tobytes() in path.read_bytes() for path in data[name].iterdir())
    await writer.drop(NAME)
    assert await writer.clean() == {"a": 0, "z": 0}


async def test_a_failed_clean_up_of_one_collection_does_not_prevent_those_of_others(
    location: Storage, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    [gone], rewrite, damaged = traceable_faces(1), gallery.writing.maintenance.rewrite, (await location.table()).name

    async def killed(table: AsyncTable) -> None:
        if table.name == damaged:
            raise RuntimeError("killed")
        await rewrite(table)

    monkeypatch.setattr(gallery.writing.maintenance, "rewrite", killed)
    await writer.create("z", KIND, None)
    await enrol(writer, gone, name="z")
    await writer.delete_subjects("z", [gone.subject])
    with pytest.raises(RuntimeError, match="killed"):
        await writer.clean()
    assert location.traces([gone]) == []


async def test_no_change_is_made_while_the_folder_is_missing(location: Storage, writer: Writer, reader: Reader) -> None:
    away = location.files.rename(location.files.with_name("away"))
    for change in (
        enrol(writer, face("Ada")),
        writer.create("new", KIND, None),
        writer.set_threshold(NAME, 0.5),
        writer.drop(NAME),
        writer.clean(),
    ):
        assert await refusal(change) == "UNAVAILABLE"
    assert not location.files.exists()
    away.rename(location.files)
    assert await enrol(writer, face("Ada")) == ["enrolled"]
    assert [each.name for each in await reader.collections()] == [NAME]
