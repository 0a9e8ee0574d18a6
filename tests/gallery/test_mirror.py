"""A table's embeddings in memory, after whatever happens to the table."""

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from lancedb import AsyncTable

from gallery.location import Location
from gallery.mirror import Mirror
from gallery.reader import Reader
from gallery.writer import Writer
from tests.gallery.sample_gallery import NAME, SIZE, enrol, face, in_loop, people, vectors, with_vector, writing


async def table_of(location: Location) -> AsyncTable:
    """The collection's table, for a mirror of its own."""
    collection = await Reader(location, 8).collection(NAME)
    return await (await location.connect()).open_table(collection.table)


class Breaking:
    """A table whose rows come newest commit first, and of which none comes after the first commit while `broken`."""

    def __init__(self, table: AsyncTable) -> None:
        self._table = table
        self.broken = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._table, name)

    def query(self) -> Any:
        table, query = self, self._table.query()

        class Query:
            def where(self, where: str) -> "Query":
                query.where(where)
                return self

            def select(self, columns: list[str]) -> "Query":
                query.select(columns)
                return self

            async def to_arrow(self) -> pa.Table:
                return await query.to_arrow()

            async def to_batches(self) -> AsyncIterator[pa.RecordBatch]:
                return table._newest_first(await query.to_arrow())

        return Query()

    async def _newest_first(self, rows: pa.Table) -> AsyncIterator[pa.RecordBatch]:
        for commit in sorted(set(rows["commit"].to_pylist()), reverse=True):
            wanted = [each == commit for each in rows["commit"].to_pylist()]
            yield rows.filter(pa.array(wanted)).combine_chunks().to_batches()[0]
            if self.broken:
                raise RuntimeError("the connection broke")


@in_loop
async def test_it_follows_what_is_enrolled_replaced_and_deleted(location: Location) -> None:
    faces = people(6)
    async with writing(location) as writer:
        mirror = Mirror(await table_of(location), SIZE)
        await mirror.refresh()
        assert (len(mirror), mirror.bytes, mirror.best(faces[0].embedding, 5)) == (0, 0, [])
        await enrol(writer, *faces)
        assert len(mirror) == 0
        await mirror.refresh()
        assert (len(mirror), mirror.bytes) == (6, 6 * SIZE * 4)
        [hit] = mirror.best(faces[3].embedding, 1)
        assert (hit.subject, hit.face_id) == ("subject-3", faces[3].id)
        assert hit.cosine == pytest.approx(1, abs=1e-6)
        # One goes and one comes: as many as before.
        await writer.delete_subjects(NAME, ["subject-3"])
        await enrol(writer, face("new", faces[3].embedding))
        await mirror.refresh()
        assert len(mirror) == 6
        assert mirror.best(faces[3].embedding, 9)[0].subject == "new"
        assert "subject-3" not in {hit.subject for hit in mirror.best(faces[3].embedding, 9)}
        await enrol(writer, with_vector(faces[0], -faces[0].embedding), replace=True)
        await mirror.refresh()
        assert mirror.best(-faces[0].embedding, 1)[0].subject == "subject-0"
        await writer.delete_subjects(NAME, ["new", *(each.subject for each in faces)])
        await mirror.refresh()
        assert (len(mirror), mirror.best(faces[0].embedding, 5)) == (0, [])


@in_loop
async def test_a_face_that_was_deleted_and_enrolled_again_has_its_new_embedding(location: Location) -> None:
    first, second = vectors(2)
    async with writing(location) as writer:
        mirror = Mirror(await table_of(location), SIZE)
        await enrol(writer, face("Ada", first), face("Bob", first))
        await mirror.refresh()
        await writer.delete_subjects(NAME, ["Ada"])
        await enrol(writer, face("Ada", second))
        await mirror.refresh()
        assert len(mirror) == 2
        [hit] = mirror.best(second, 1)
        assert hit.subject == "Ada"
        assert hit.cosine == pytest.approx(1, abs=1e-6)


@in_loop
async def test_nothing_of_a_deleted_face_stays_in_memory(location: Location) -> None:
    faces = people(9)
    async with writing(location) as writer:
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
        assert mirror.best(faces[5].embedding, 1)[0].face_id == faces[5].id


@in_loop
async def test_a_refresh_that_broke_is_made_up_for(location: Location) -> None:
    """A client that gives up cancels its search, in the middle of it as well."""
    faces = people(3)
    async with writing(location) as writer:
        table = Breaking(await table_of(location))
        mirror = Mirror(table, SIZE)  # type: ignore[arg-type]
        await enrol(writer, *faces)
        await mirror.refresh()
        for each in faces[:2]:
            await enrol(writer, with_vector(each, -each.embedding), replace=True)
        table.broken = True
        with pytest.raises(RuntimeError):
            await mirror.refresh()
        table.broken = False
        await mirror.refresh()
        for each in faces[:2]:
            [hit] = mirror.best(-each.embedding, 1)
            assert hit.subject == each.subject
            assert hit.cosine == pytest.approx(1, abs=1e-6)


@in_loop
async def test_a_table_that_was_set_back_is_read_again(location: Location) -> None:
    faces = people(4)
    async with writing(location) as writer:
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


@in_loop
async def test_it_reads_only_what_is_new(location: Location) -> None:
    asked: list[str] = []

    class Asked(Breaking):
        def query(self) -> Any:
            query = super().query()
            where = query.where

            def noted(condition: str) -> Any:
                asked.append(condition)
                return where(condition)

            query.where = noted
            return query

    async def commits(writer: Writer) -> list[int]:
        return sorted(row["commit"] for row in await (await table_of(location)).query().select(["commit"]).to_list())

    async with writing(location) as writer:
        mirror = Mirror(Asked(await table_of(location)), SIZE)  # type: ignore[arg-type]
        await enrol(writer, *people(3))
        await mirror.refresh()
        await mirror.refresh()
        assert len(asked) == 1
        [*_, last] = await commits(writer)
        await enrol(writer, face("new"))
        await mirror.refresh()
        assert asked[1:] == [f"commit > {last}"]
        assert len(mirror) == 4


def test_a_cosine_is_never_past_1() -> None:
    class Nothing:
        pass

    mirror = Mirror(Nothing(), 3)  # type: ignore[arg-type]
    rows = pa.record_batch(
        {
            "id": ["1"],
            "subject": ["Ada"],
            "commit": [1],
            "vector": pa.FixedSizeListArray.from_arrays(pa.array([1.0, 1e-3, 1e-3], pa.float32()), 3),
        }
    )
    mirror._take(rows)
    probe = np.array([1.0, 1e-3, 1e-3], np.float32)
    assert mirror.best(probe, 1)[0].cosine == 1
    assert mirror.best(-probe, 1)[0].cosine == -1
