"""The embeddings in memory after unusual changes of their table. `test_changes` covers the usual ones."""

from collections.abc import AsyncIterator
from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pyarrow as pa
import pytest
from lancedb.query import AsyncQuery

from gallery.location import Location
from gallery.mirror import Mirror, clipped
from gallery.writer import Writer
from tests.gallery.sample_gallery import NAME, SIZE, enrol, face, people, table_of


async def test_it_reads_only_new_rows(location: Location, monkeypatch: pytest.MonkeyPatch, writer: Writer) -> None:
    where = Mock(side_effect=AsyncQuery.where)
    table = await table_of(location)
    mirror = Mirror(table, SIZE)
    await enrol(writer, *people(3))
    await mirror.refresh()
    last = max(row["commit"] for row in await table.query().select(["commit"]).to_list())
    await enrol(writer, face("new"))
    monkeypatch.setattr(AsyncQuery, "where", lambda query, condition: where(query, condition))
    await mirror.refresh()
    await mirror.refresh()
    assert [call.args[1] for call in where.call_args_list] == [f"commit > {last}"]
    assert len(mirror) == 4


async def test_nothing_of_a_deleted_face_stays_in_memory(location: Location, writer: Writer) -> None:
    faces = people(9)
    mirror = Mirror(await table_of(location), SIZE)
    await enrol(writer, *faces)
    await mirror.refresh()
    stored = {subject: mirror._vectors[:, row].tobytes() for row, subject in enumerate(mirror._subjects)}
    assert all(vector in mirror._vectors.T.tobytes() for vector in stored.values())
    gone = ["subject-0", "subject-4", "subject-8"]
    await writer.delete_subjects(NAME, gone)
    await mirror.refresh()
    for subject, vector in stored.items():
        assert (vector in mirror._vectors.T.tobytes()) == (subject not in gone)


async def test_an_interrupted_refresh_is_completed_by_the_next(
    location: Location, monkeypatch: pytest.MonkeyPatch, writer: Writer
) -> None:
    """A client that gives up cancels its search in the middle of a refresh. Rows may come newest first."""

    async def one_commit(rows: pa.Table) -> AsyncIterator[pa.RecordBatch]:
        newest = [commit == max(rows["commit"].to_pylist()) for commit in rows["commit"].to_pylist()]
        yield rows.filter(pa.array(newest)).combine_chunks().to_batches()[0]
        raise RuntimeError("interrupted")

    async def interrupted(query: AsyncQuery) -> AsyncIterator[pa.RecordBatch]:
        return one_commit(pa.Table.from_batches([batch async for batch in await to_batches(query)]))

    to_batches, faces = AsyncQuery.to_batches, people(3)
    mirror = Mirror(await table_of(location), SIZE)
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
        [hit] = mirror.best(-each.embedding, 1)
        assert hit.subject == each.subject
        assert hit.cosine == pytest.approx(1, abs=1e-6)


async def test_a_table_restored_to_an_older_version_is_read_again(location: Location, writer: Writer) -> None:
    faces = people(4)
    table = await table_of(location)
    mirror = Mirror(table, SIZE)
    await enrol(writer, faces[0], faces[1])
    await mirror.refresh()
    before = await table.version()
    await writer.delete_subjects(NAME, ["subject-0"])
    await mirror.refresh()
    assert {hit.subject for hit in mirror.best(faces[0].embedding, 9)} == {"subject-1"}
    other = await table_of(location)
    await other.checkout(before)
    await other.restore()
    await mirror.refresh()
    assert {hit.subject for hit in mirror.best(faces[0].embedding, 9)} == {"subject-0", "subject-1"}


def test_a_cosine_stays_within_its_range() -> None:
    long = np.array([1.0, 1e-3, 1e-3], np.float32)
    cosine = float(long @ long)
    assert cosine > 1
    assert [clipped(value) for value in (cosine, -cosine, 0.5)] == [1, -1, 0.5]
