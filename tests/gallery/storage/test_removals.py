"""The log of removed faces, and the tables beside a collection. `test_changes` covers any sequence of changes."""

from unittest.mock import AsyncMock

import pytest
from lancedb import AsyncTable

from gallery.records import KeptAnswer
from gallery.storage.removals import RemovalFeed
from gallery.writing.writer import Writer
from tests.gallery.sample_gallery import NAME, Storage, enrol, face, fragments, people

FACES = [face("ada", source="first"), face("ada", source="second"), *people(3)]


async def feed_of(location: Storage) -> tuple[AsyncTable, RemovalFeed]:
    table = await location.table()
    return table, RemovalFeed(await location.connect(), table.name)


async def test_faces_that_an_enrolment_replaces_are_named(location: Storage, writer: Writer) -> None:
    await enrol(writer, *FACES)
    table, feed = await feed_of(location)
    await enrol(writer, FACES[1], replace=True)
    await table.checkout_latest()
    assert await feed.removed(table) == {FACES[0].id}


async def test_a_face_that_is_logged_but_not_removed_yet_is_named_later(
    location: Storage, monkeypatch: pytest.MonkeyPatch, writer: Writer
) -> None:
    """The writer is between its two commits, or was killed there."""
    await enrol(writer, *FACES)
    table, feed = await feed_of(location)
    with monkeypatch.context() as patched:
        patched.setattr(AsyncTable, "delete", AsyncMock(side_effect=RuntimeError("killed")))
        with pytest.raises(RuntimeError, match="killed"):
            await writer.delete_faces(NAME, [FACES[0].id])
    assert await feed.removed(table) == set()
    await writer.delete_subjects(NAME, ["ada", "nobody"])
    # The removals were logged after this version of the table.
    assert await feed.removed(table) == set()
    await writer.delete_subjects(NAME, ["subject-0"])
    await table.checkout_latest()
    assert await feed.removed(table) == {each.id for each in FACES[:3]}


async def test_removals_are_logged_again_after_the_log_was_damaged(location: Storage, writer: Writer) -> None:
    await enrol(writer, *FACES)
    table, feed = await feed_of(location)
    await writer.delete_faces(NAME, [FACES[0].id])
    [log] = location.files.glob("removed-*")
    for path in (log / "_versions").iterdir():
        path.write_bytes(b"")
    assert await feed.removed(table) == set()
    for subject in ("ada", "subject-0"):
        await writer.delete_subjects(NAME, [subject])
    await table.checkout_latest()
    assert FACES[2].id in await feed.removed(table)


@pytest.mark.usefixtures("early_optimisation")
async def test_tables_beside_a_collection_are_merged_with_it_and_dropped_with_it(
    location: Storage, writer: Writer
) -> None:
    await enrol(writer, *FACES)
    for number in range(2):
        await writer.delete_subjects(NAME, [f"subject-{number}"])
        await writer.create_subject(NAME, f"empty-{number}", "request")
        await writer.keep_answer(NAME, KeptAnswer((f"token-{number}", "digest"), "answer"))
    names = sorted(path.stem for path in location.files.glob("*-*.lance"))
    connection = await location.connect()
    tables = {name.partition("-")[0]: await connection.open_table(name) for name in names}
    assert list(tables) == ["answers", "empty", "faces", "removed"]
    await writer.optimise()
    for table in tables.values():
        await table.checkout_latest()
        assert await fragments(table) == 1
    await writer.drop(NAME)
    assert [path.name for path in location.files.glob("*.lance")] == ["collections.lance"]
