"""Following a table: each use sees every commit, and LanceDB is rarely asked."""

import os
import shutil
from pathlib import Path
from unittest.mock import AsyncMock

import pyarrow as pa
import pytest
from lancedb import AsyncTable

from gallery.storage import latest_table
from gallery.storage.latest_table import LatestTable
from gallery.storage.metadata import COLUMN
from gallery.writing.writer import Writer
from tests.gallery.sample_gallery import Storage, enrol, face

Followed = tuple[LatestTable, Path]


@pytest.fixture
async def followed(location: Storage, writer: Writer) -> Followed:
    """The table of an empty collection, and the folder of its versions."""
    name = (await location.table()).name
    return LatestTable(await location.connect(), name), location.table_folder(name) / "_versions"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> AsyncMock:
    """Calls that ask LanceDB for the latest version."""
    ask = AsyncMock(side_effect=AsyncTable.checkout_latest)
    monkeypatch.setattr(AsyncTable, "checkout_latest", lambda table: ask(table))
    return ask


async def test_lancedb_is_asked_again_only_after_a_commit(
    followed: Followed, asked: AsyncMock, monkeypatch: pytest.MonkeyPatch, writer: Writer
) -> None:
    monkeypatch.setattr(latest_table, "SETTLED_S", 0.0)
    table, _ = followed
    for faces in range(3):
        for _ in range(2):
            found = await table.latest()
            assert (await found.table.count_rows(), found.number) == (faces, await found.table.version())
        asked.reset_mock()
        await table.latest()
        assert asked.call_count == 0
        await enrol(writer, face(f"subject-{faces}"))


async def test_number_and_columns_are_of_the_same_version(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    schema, columns = AsyncTable.schema, iter([COLUMN])

    async def overtaken(table: AsyncTable) -> pa.Schema:
        found = await schema(table)
        for column in columns:
            await table.add_columns(column)
        return found

    monkeypatch.setattr(AsyncTable, "schema", overtaken)
    found = await followed[0].latest()
    assert (found.number, found.columns) == (await found.table.version(), (await found.table.schema()).names)


async def test_a_commit_is_seen_although_the_file_system_rounds_its_time(followed: Followed, writer: Writer) -> None:
    table, versions = followed
    before = versions.stat()
    for faces in range(3):
        assert await (await table.latest()).table.count_rows() == faces
        await enrol(writer, face(f"subject-{faces}"))
        os.utime(versions, ns=(before.st_atime_ns, before.st_mtime_ns))


async def test_another_gallery_in_the_same_place_is_noticed(
    followed: Followed, asked: AsyncMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latest_table, "SETTLED_S", 0.0)
    table, versions = followed
    before = versions.stat()
    for _ in range(2):
        await table.latest()
    asked.reset_mock()
    other = versions.rename(versions.with_name("other"))
    shutil.copytree(other, versions)
    os.utime(versions, ns=(before.st_atime_ns, before.st_mtime_ns))
    await table.latest()
    assert asked.call_count == 1
