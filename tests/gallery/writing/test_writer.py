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

import gallery.writing.maintenance
import gallery.writing.writer
from gallery.reading.reader import Reader
from gallery.storage.disk import GalleryInUseError
from gallery.writing.registry import Registry
from gallery.writing.writer import Writer
from tests.fakes import serve_log
from tests.gallery.sample_gallery import (
    HOSTILE,
    KIND,
    NAME,
    SIZE,
    Storage,
    enrol,
    face,
    found,
    people,
    refusal,
    vectors,
    writing,
)
from tests.waiting import TIMEOUT_S, eventually


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


async def test_an_empty_collection_is_dropped_only_if_it_is_empty_before_and_after_the_drop_waits(
    location: Storage, writer: Writer
) -> None:
    registry = await Registry.open(location)
    [opened] = registry.opened
    async with opened.locks.change:
        dropping = asyncio.create_task(refusal(registry.drop(NAME, only_empty=True)))
        await eventually(opened.locks.rewrite.locked)
        await enrol(writer, face("Ada"))
        refused = refusal(registry.drop(NAME, only_empty=True))
        assert await asyncio.wait_for(refused, TIMEOUT_S) == "COLLECTION_NOT_EMPTY"
    assert await dropping == "COLLECTION_NOT_EMPTY"
    await registry.close()


async def test_a_collection_is_not_found_while_it_is_being_dropped(
    location: Storage, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = await Registry.open(location)
    table, drop_table = registry.opened[0].table, registry.connection.drop_table
    checkout, refusals = table.checkout_latest, list[str]()

    async def drop_and_ask(name: str, *, ignore_missing: bool) -> None:
        await drop_table(name, ignore_missing=ignore_missing)
        refusals.append(await refusal(registry.drop(NAME, only_empty=True)))

    async def checkout_after_drop() -> None:
        monkeypatch.setattr(table, "checkout_latest", checkout)
        await registry.drop(NAME, only_empty=False)
        await table.checkout_latest()

    monkeypatch.setattr(registry.connection, "drop_table", drop_and_ask)
    monkeypatch.setattr(table, "checkout_latest", checkout_after_drop)
    with serve_log() as log:
        refusals.append(await refusal(registry.drop(NAME, only_empty=True)))
    assert (set(refusals), log) == ({"COLLECTION_NOT_FOUND"}, [])
    await registry.close()


async def test_a_drop_that_failed_can_be_repeated(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(writer._registry.connection, "drop_table", AsyncMock(side_effect=OSError))
        with pytest.raises(OSError):  # noqa: PT011 - it has no message
            await writer.drop(NAME)
    assert await refusal(writer.create(NAME, KIND, None)) == "COLLECTION_EXISTS"
    await writer.drop(NAME)
    await writer.create(NAME, KIND, None)


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


async def test_a_damaged_collection_does_not_pass_for_an_empty_one(location: Storage, writer: Writer) -> None:
    shutil.rmtree(location.table_folder(writer.collections[0].table))
    assert await refusal(writer.drop(NAME, only_empty=True)) == "COLLECTION_UNREADABLE"


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
