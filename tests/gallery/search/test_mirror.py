"""Mirrors after unusual changes of their table, and their files. `test_changes` covers the usual changes."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pyarrow as pa
import pytest
from lancedb.query import AsyncQuery

import gallery.search.mirror_files
import gallery.search.mirror_search
from gallery.location import Location
from gallery.reading.face_table import FaceTable
from gallery.reading.reader import Reader
from gallery.search.code_scan import candidates
from gallery.search.mapped_column import MappedColumn, MirrorFileError
from gallery.search.mirror import Mirror
from gallery.search.mirror_files import MirrorFiles, face_bytes
from gallery.writing.writer import Writer
from tests.fakes import serve_log
from tests.gallery.sample_gallery import (
    NAME,
    SIZE,
    Storage,
    best,
    enrol,
    face,
    found,
    people,
    search,
    stored_bytes,
    vectors,
    writing,
)


def subjects(mirror: Mirror) -> set[str]:
    """All subjects in a mirror."""
    return {hit.subject for hit in best(mirror, [*vectors(1)], 99)[0]}


@pytest.fixture
def queries(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Filters of queries."""
    where = Mock(side_effect=AsyncQuery.where)
    monkeypatch.setattr(AsyncQuery, "where", lambda query, condition: where(query, condition))
    return where


async def test_it_reads_only_new_rows(location: Storage, queries: Mock, writer: Writer) -> None:
    mirror = await location.mirror()
    await enrol(writer, *people(3))
    await mirror.refresh()
    last = max(row["commit"] for row in await (await location.table()).query().select(["commit"]).to_list())
    await enrol(writer, face("new"))
    queries.reset_mock()
    await mirror.refresh()
    await mirror.refresh()
    assert [call.args[1] for call in queries.call_args_list] == [f"commit > {last}"]
    assert mirror.faces == 4


async def test_a_search_reads_few_embeddings(
    location: Storage, monkeypatch: pytest.MonkeyPatch, writer: Writer
) -> None:
    mirror = await location.mirror()
    await enrol(writer, *people(1000))
    await mirror.refresh()
    read = Mock(side_effect=MirrorFiles.vectors)
    monkeypatch.setattr(MirrorFiles, "vectors", lambda files, rows: read(files, rows))
    await asyncio.to_thread(best, mirror, [*vectors(1)], 2)
    assert 2 <= sum(len(call.args[1]) for call in read.call_args_list) < 8


async def test_readers_of_a_node_share_its_files_and_a_restart_opens_them(
    location: Storage, queries: Mock, writer: Writer
) -> None:
    first, second, restarted = [await location.mirror() for _ in range(3)]
    await enrol(writer, *people(3))
    await first.refresh()
    queries.reset_mock()
    for mirror in (second, restarted):
        await mirror.refresh()
        assert subjects(mirror) == {"subject-0", "subject-1", "subject-2"}
    assert queries.call_args_list == [], "no vectors are read again"
    await writer.delete_subjects(NAME, ["subject-0"])
    await first.refresh()
    await second.refresh()
    assert subjects(first) == subjects(second) == {"subject-1", "subject-2"}


async def test_readers_that_follow_the_table_concurrently_agree(location: Storage, writer: Writer) -> None:
    mirrors = [await location.mirror() for _ in range(4)]
    for number in range(4):
        await enrol(writer, face(f"new-{number}", vectors(4)[number]), *people(3))
        await asyncio.gather(*(mirror.refresh() for mirror in mirrors))
        assert {mirror.faces for mirror in mirrors} == {4 + number}


@pytest.mark.parametrize("cleaning", [False, True])
async def test_a_reader_and_a_clean_up_erase_deleted_faces(
    location: Storage, reader: Reader, writer: Writer, cleaning: bool
) -> None:
    faces, gone = people(9), ["subject-0", "subject-4", "subject-8"]
    await enrol(writer, *faces)
    await search(reader, [*vectors(1)])
    await writer.delete_subjects(NAME, gone)
    assert all(each.subject.encode() in stored_bytes(location.mirrors) for each in faces)
    await (writer.clean() if cleaning else Reader(location, 8).unreadable())
    for each in faces:
        traces = [each.subject.encode(), bytes.fromhex(each.id), each.embedding.tobytes()[:16]]
        assert {trace in stored_bytes(location.mirrors) for trace in traces} == {each.subject not in gone}
    await writer.drop(NAME)
    assert stored_bytes(location.mirrors) == b""


async def test_an_interrupted_refresh_is_completed_by_the_next(
    location: Storage, monkeypatch: pytest.MonkeyPatch, writer: Writer
) -> None:
    """Rows may come newest first."""

    async def one_commit(rows: pa.Table) -> AsyncIterator[pa.RecordBatch]:
        newest = [commit == max(rows["commit"].to_pylist()) for commit in rows["commit"].to_pylist()]
        yield rows.filter(pa.array(newest)).combine_chunks().to_batches()[0]
        raise RuntimeError("interrupted")

    async def interrupted(query: AsyncQuery) -> AsyncIterator[pa.RecordBatch]:
        return one_commit(pa.Table.from_batches([batch async for batch in await to_batches(query)]))

    to_batches, faces = AsyncQuery.to_batches, people(3)
    mirror = await location.mirror()
    await enrol(writer, *faces)
    await mirror.refresh()
    for each in faces[:2]:
        await enrol(writer, replace(each, embedding=-each.embedding), replace=True)
    with monkeypatch.context() as patched:
        patched.setattr(AsyncQuery, "to_batches", interrupted)
        with pytest.raises(RuntimeError, match="interrupted"):
            await mirror.refresh()
    await mirror.refresh()
    for each in faces[:2]:
        [[hit]] = best(mirror, [-each.embedding], 1)
        assert hit.subject == each.subject
        assert hit.cosine == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("restart", [False, True])
async def test_a_table_restored_to_an_older_version_is_read_again(
    location: Storage, restart: bool, writer: Writer
) -> None:
    faces = people(4)
    mirror = await location.mirror()
    await enrol(writer, faces[0], faces[1])
    await mirror.refresh()
    table = await location.table()
    before = await table.version()
    await writer.delete_subjects(NAME, ["subject-0"])
    await mirror.refresh()
    assert subjects(mirror) == {"subject-1"}
    await table.checkout(before)
    await table.restore()
    mirror = await location.mirror() if restart else mirror
    await mirror.refresh()
    assert subjects(mirror) == {"subject-0", "subject-1"}


async def test_files_of_a_gallery_that_was_replaced_are_not_trusted(location: Storage, tmp_path: Path) -> None:
    """A backup has the same tables, which may have the same number of versions and faces."""
    async with writing(location) as writer:
        await enrol(writer, face("Ada"))
    shutil.copytree(location.uri, tmp_path / "backup")
    for subject, uri in (("Bob", location.uri), ("Cleo", str(tmp_path / "backup"))):
        async with writing(Location(uri)) as writer:
            await enrol(writer, face(subject))
            assert sorted(await found(Reader(Location(uri), 8), vectors(1)[0])) == ["Ada", subject]
    for path in (tmp_path / "backup").glob("*.lance"):
        shutil.rmtree(Path(location.uri) / path.name)
        shutil.copytree(path, Path(location.uri) / path.name)
    assert sorted(await found(Reader(location, 8), vectors(1)[0])) == ["Ada", "Cleo"]


@pytest.mark.parametrize("damage", ["moves", "boot", "size"])
async def test_files_that_a_crash_may_have_damaged_are_written_again(
    location: Storage, damage: str, writer: Writer
) -> None:
    """A process was killed while it moved rows, the machine lost its power, or the file is of another format."""
    await enrol(writer, *people(2))
    mirror = await location.mirror()
    await mirror.refresh()
    [folder] = location.mirrors.iterdir()
    state = np.fromfile(folder / "state", gallery.search.mirror_files.STATE)
    state[damage][0] = 1 if damage != "boot" else b"another"
    state["faces"][0] = 1
    (folder / "state").write_bytes(state.tobytes())
    again = await location.mirror()
    await again.refresh()
    await mirror.refresh()
    assert subjects(again) == subjects(mirror) == {"subject-0", "subject-1"}


def test_no_file_stays_open_if_another_is_missing(tmp_path: Path) -> None:
    def opened() -> int:
        return [path.resolve().parent for path in Path("/proc/self/fd").iterdir()].count(tmp_path)

    files = MirrorFiles.at(tmp_path, SIZE)
    before = opened()
    (tmp_path / "vectors").unlink()
    files = MirrorFiles.at(tmp_path, SIZE)
    assert (opened(), len(files)) == (before, 0)


async def test_a_search_that_saw_rows_move_is_repeated(
    location: Storage, monkeypatch: pytest.MonkeyPatch, reader: Reader, writer: Writer
) -> None:
    """Another process follows the table in the middle of a search."""
    faces = people(3)
    await enrol(writer, *faces)
    assert await found(reader, faces[2].embedding, 1) == ["subject-2"]
    other = await location.mirror()
    scan, loop = candidates, asyncio.get_running_loop()

    async def interfere() -> None:
        await writer.delete_subjects(NAME, ["subject-0"])
        await other.refresh()

    def slow(*args: object) -> object:
        monkeypatch.setattr(gallery.search.mirror_search, "candidates", scan)
        asyncio.run_coroutine_threadsafe(interfere(), loop).result()
        return scan(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(gallery.search.mirror_search, "candidates", slow)
    assert await found(reader, faces[2].embedding, 3) == ["subject-2", *await found(reader, faces[1].embedding, 1)]


async def test_embeddings_stay_in_memory_if_files_cannot_be_written(
    location: Storage, monkeypatch: pytest.MonkeyPatch, reader: Reader, writer: Writer
) -> None:
    def full(column: MappedColumn, first: int, rows: object) -> None:
        if os.fstat(column.file).st_nlink:
            raise MirrorFileError("the disk is full")
        write(column, first, rows)  # type: ignore[arg-type]

    write = MappedColumn.write
    await enrol(writer, *people(2))
    assert await found(reader, people(2)[1].embedding, 1) == ["subject-1"]
    monkeypatch.setattr(MappedColumn, "write", full)
    for number in range(2, 4):
        await enrol(writer, *people(4)[: number + 1])
        with serve_log() as log:
            assert await found(reader, people(4)[number].embedding, 1) == [f"subject-{number}"]
        assert ["the disk is full" in record.getMessage() for record in log] == [True] * (number == 2)
    assert stored_bytes(location.mirrors) == b""
    faces = FaceTable(await location.connect(), (await location.table()).name, SIZE)
    # The files would fit into this memory, their contents do not. They are not read again for each search.
    in_memory = Mock(side_effect=MirrorFiles.in_memory)
    monkeypatch.setattr(MirrorFiles, "in_memory", in_memory)
    for _ in range(2):
        assert await faces.refresh(4 * face_bytes(SIZE), location.mirrors) is None
    assert in_memory.call_count == 1
