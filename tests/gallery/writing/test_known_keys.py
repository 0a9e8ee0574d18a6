"""Ids and keys in memory. `test_changes` compares enrolments that use them with expected results."""

import asyncio
import random
from unittest.mock import AsyncMock, Mock

import pyarrow as pa
import pytest
from lancedb import AsyncTable
from lancedb.query import AsyncQuery

import gallery.writing.maintenance
from gallery.records import NewFace
from gallery.writing.known_keys import KnownKeys
from gallery.writing.writer import Writer
from tests.gallery.sample_gallery import NAME, Storage, enrol, face, people


def rows(faces: list[NewFace], commit: int) -> pa.Table:
    keys = [each.id[::-1] for each in faces]
    return pa.table({"id": [each.id for each in faces], "subject_key": keys, "commit": [commit] * len(faces)})


async def test_all_that_was_added_is_known_and_little_else(location: Storage, writer: Writer) -> None:
    table, known, faces = await location.table(), KnownKeys(), people(400)
    added, rest = faces[:300], faces[300:]
    while added:
        count = random.Random(len(added)).randint(1, 60)
        await known.add(rows(added[:count], 1), table)
        added = added[count:]
    assert all(known.may_contain([each.id]) and known.may_contain([each.id[::-1]], []) for each in faces[:300])
    assert known.may_contain([rest[0].id, faces[0].id])
    assert not known.may_contain([each.id for each in rest], [each.id[::-1] for each in rest])
    # Imported ids may begin or end alike.
    alike = [(faces[0].id[:16], rest[0].id[16:]), (rest[0].id[:16], faces[0].id[16:])]
    assert not known.may_contain(["".join(halves) for halves in alike])


@pytest.fixture
async def look_ups(early_indexes: None, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Filters of queries, after people were enrolled and their keys were read."""
    await enrol(writer, *people(50))
    await writer.optimise()
    await enrol(writer, face("follows the optimisation"))
    where = Mock(side_effect=AsyncQuery.where)
    monkeypatch.setattr(AsyncQuery, "where", lambda query, condition: where(query, condition))
    return where


async def test_only_known_faces_and_subjects_are_looked_up(writer: Writer, look_ups: Mock) -> None:
    assert await enrol(writer, face("new"), face("other")) == ["enrolled"] * 2
    look_ups.assert_not_called()
    assert await enrol(writer, face("new"), people(1)[0]) == ["already"] * 2
    assert await enrol(writer, face("new", source="second")) == ["enrolled"]
    assert look_ups.call_count == 2


async def test_a_failed_optimisation_keeps_the_keys(
    writer: Writer, look_ups: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery.writing.maintenance, "merge_files", AsyncMock(side_effect=RuntimeError("killed")))
    with pytest.raises(RuntimeError, match="killed"):
        await writer.optimise()
    look_ups.reset_mock()
    assert await enrol(writer, face("new")) == ["enrolled"]
    look_ups.assert_not_called()


async def test_changes_while_the_keys_are_read_are_known(
    early_indexes: None, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await enrol(writer, *people(50))
    table, read = writer._registry.opened[0].table, KnownKeys.of
    add, enrolments = table.add, list[asyncio.Task[list[str]]]()

    async def slow_add(rows: pa.Table) -> None:
        for _ in range(100):
            await asyncio.sleep(0)
        await add(rows)

    async def slow_read(table: AsyncTable) -> KnownKeys:
        known = await read(table)
        await enrol(writer, face("during the reading"))
        monkeypatch.setattr(table, "add", slow_add)
        enrolments.append(asyncio.create_task(enrol(writer, face("until after the reading"))))
        await asyncio.sleep(0)
        return known

    monkeypatch.setattr(KnownKeys, "of", slow_read)
    await writer.optimise()
    assert await enrolments[0] == ["enrolled"]
    for subject in ("during the reading", "until after the reading"):
        assert await enrol(writer, face(subject)) == ["already"]


async def test_changes_of_other_kinds_are_followed(writer: Writer, look_ups: Mock) -> None:
    await enrol(writer, face("maiden name"))
    await writer.rename_subject(NAME, "maiden name", "married name")
    assert await enrol(writer, face("married name")) == ["already"]


async def test_a_change_that_failed_after_its_commit_is_found(
    writer: Writer, look_ups: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = writer._registry.opened[0].table.add

    async def interrupted(rows: pa.Table) -> None:
        monkeypatch.undo()
        await add(rows)
        raise RuntimeError("interrupted")

    monkeypatch.setattr(writer._registry.opened[0].table, "add", interrupted)
    assert await enrol(writer, face("new")) == ["already"]
