"""The log of removed faces, and what readers do if it is incomplete. `test_changes` covers any sequence of changes."""

from typing import Any
from unittest.mock import AsyncMock

import pytest
from lancedb import AsyncTable

from gallery.location import Location
from gallery.storage.removals import RemovalFeed
from gallery.writing.writer import Writer
from tests.gallery.sample_gallery import NAME, enrol, face, folder_of, people, table_of

FACES = [face("ada", source="first"), face("ada", source="second"), *people(3)]


async def feed_of(location: Location) -> tuple[AsyncTable, RemovalFeed]:
    table = await table_of(location)
    return table, RemovalFeed(await location.connect(), table.name)


async def delete_face(writer: Writer) -> None:
    await writer.delete_face(NAME, FACES[0].id)


async def test_faces_that_an_enrolment_replaces_are_named(location: Location, writer: Writer) -> None:
    await enrol(writer, *FACES)
    table, feed = await feed_of(location)
    await enrol(writer, FACES[1], replace=True)
    await table.checkout_latest()
    assert await feed.removed(table) == {FACES[0].id}


async def test_a_face_that_is_logged_but_not_removed_yet_is_named_later(
    location: Location, monkeypatch: pytest.MonkeyPatch, writer: Writer
) -> None:
    """The writer is between its two commits, or was killed there."""
    await enrol(writer, *FACES)
    table, feed = await feed_of(location)
    with monkeypatch.context() as patched:
        patched.setattr(AsyncTable, "delete", AsyncMock(side_effect=RuntimeError("killed")))
        with pytest.raises(RuntimeError, match="killed"):
            await delete_face(writer)
    assert await feed.removed(table) == set()
    await writer.delete_subjects(NAME, ["ada", "nobody"])
    # Logged later than this version of the table.
    assert await feed.removed(table) == set()
    await writer.delete_subjects(NAME, ["subject-0"])
    await table.checkout_latest()
    assert await feed.removed(table) == {each.id for each in FACES[:3]}


async def test_removals_are_logged_again_after_the_log_was_damaged(location: Location, writer: Writer) -> None:
    await enrol(writer, *FACES)
    table, feed = await feed_of(location)
    await delete_face(writer)
    [log] = folder_of(location).glob("removed-*")
    for path in (log / "_versions").iterdir():
        path.write_bytes(b"")
    assert await feed.removed(table) == set()
    for subject in ("ada", "subject-0"):
        await writer.delete_subjects(NAME, [subject])
    await table.checkout_latest()
    assert FACES[2].id in await feed.removed(table)


async def test_a_dropped_collection_leaves_no_log(location: Location, writer: Writer) -> None:
    await enrol(writer, *FACES)
    await delete_face(writer)
    await writer.drop(NAME)
    assert {path.name for path in folder_of(location).glob("*.lance")} == {"collections.lance"}


async def test_the_files_of_the_log_are_merged(location: Location, writer: Writer) -> None:
    await enrol(writer, *people(30))
    for number in range(25):
        await writer.delete_subjects(NAME, [f"subject-{number}"])
    await writer.optimise()
    [log] = folder_of(location).glob("removed-*")
    table = await (await location.connect()).open_table(log.stem)
    statistics: Any = await table.stats()
    assert statistics["fragment_stats"]["num_fragments"] == 1
