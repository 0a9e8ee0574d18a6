"""Vector indexes: which one a large collection gets, its recall, and what a reader reports of it."""

from contextlib import suppress
from dataclasses import replace
from unittest.mock import AsyncMock, Mock

import lancedb
import numpy as np
import pyarrow as pa
import pytest
from lancedb import AsyncTable
from lancedb.index import IvfFlat
from lancedb.query import AsyncVectorQuery

import gallery.writing.maintenance
from gallery.reading.reader import Reader
from gallery.records import Hit, IndexHealth, NewFace
from gallery.search import index_recall
from gallery.search.index_recall import measure_recall, with_noise
from gallery.search.index_search import IndexSearch
from gallery.writing.writer import Writer
from project.request_error import RequestError
from tests.gallery.sample_gallery import (
    KIND,
    NAME,
    SIZE,
    Storage,
    Vector,
    enrol,
    face,
    people,
    refusal,
    search,
    vectors,
    writing,
)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_recall, "PAUSE_S", 0)


def test_noise_leaves_the_stated_similarity() -> None:
    clear = vectors(20)
    noisy = with_noise(clear, 0.6, np.random.default_rng(1))
    assert (noisy * clear).sum(axis=1) == pytest.approx(np.full(20, 0.6), abs=1e-5)
    assert np.linalg.norm(noisy, axis=1) == pytest.approx(np.ones(20), abs=1e-5)


@pytest.mark.parametrize(("needed", "recall", "effort"), [(1, 1, 1), (4, 1, 4), (32, 0, 16)])
async def test_searches_take_more_effort_until_recall_suffices(
    location: Storage, writer: Writer, needed: int, recall: float, effort: int
) -> None:
    class Scripted(IndexSearch):
        """Finds the nearest face once its effort suffices."""

        async def best(self, table: AsyncTable, probe: Vector, count: int) -> list[Hit]:
            return [Hit("subject", "face", 0.6 if self.effort >= needed else 0.5)]

    await enrol(writer, *people(20))
    search = Scripted()
    assert await measure_recall(search, await location.table(), SIZE, np.random.default_rng(0)) == recall
    assert search.effort == effort


@pytest.mark.parametrize("option", ["nprobes", "refine_factor"])
async def test_effort_multiplies_the_partitions_and_candidates_of_a_search(
    location: Storage, writer: Writer, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    asked = Mock(side_effect=getattr(AsyncVectorQuery, option))
    monkeypatch.setattr(AsyncVectorQuery, option, lambda query, number: asked(query, number))
    search, table = IndexSearch(), await location.table()
    for search.effort in (1, 4):
        await search.best(table, vectors(1)[0], 1)
    plain, more = (call.args[1] for call in asked.call_args_list)
    assert more == 4 * plain


async def test_a_wider_search_replaces_hits_of_an_earlier_version(
    location: Storage, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_arrow, table, [probe, other] = AsyncVectorQuery.to_arrow, await location.table(), vectors(2)
    await enrol(writer, *(face("Ada", probe, str(number)) for number in range(9)), face("Bob", other))

    async def to_arrow_and_rename(query: AsyncVectorQuery) -> pa.Table:
        found = await to_arrow(query)
        with suppress(RequestError):
            await writer.rename_subject(NAME, "Ada", "Eve")
        await table.checkout_latest()
        return found

    monkeypatch.setattr(AsyncVectorQuery, "to_arrow", to_arrow_and_rename)
    await table.checkout_latest()
    assert [hit.subject for hit in await IndexSearch().best(table, probe, 2)] == ["Eve", "Bob"]


async def test_a_connection_keeps_as_much_of_the_indexes_as_its_location_allows(
    location: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Mock(side_effect=lancedb.Session)
    monkeypatch.setattr(lancedb, "Session", session)
    await replace(location, index_mb=3).connect()
    assert session.call_args.args[0] == 3 * 2**20


@pytest.mark.usefixtures("early_optimisation")
async def test_indexes_are_loaded_once_and_reported_where_searches_use_them(
    location: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery.writing.maintenance, "SCATTERED_ROWS", 10)
    loading = AsyncMock(side_effect=AsyncTable.prewarm_index)
    monkeypatch.setattr(AsyncTable, "prewarm_index", lambda table, name: loading(table, name))
    async with writing(location, index_rows=300) as writer:
        exact, indexed = Reader(location, 8), Reader(location, 0)
        await enrol(writer, *people(300))
        assert await indexed.index_health() == []
        await writer.optimise()
        await enrol(writer, *people(310)[300:])
        assert await exact.index_health() == []
        for _ in range(2):
            assert await indexed.index_health() == [IndexHealth(KIND.model, 1, 310, 10, 1.0)]
        assert loading.await_count == 1
        await writer.optimise()
        assert await indexed.index_health() == [IndexHealth(KIND.model, 1, 310, 0, 1.0)]
        assert loading.await_count == 2
        await writer.create("guests", KIND, None)
        await enrol(writer, *people(305), name="guests")
        await writer.optimise()
        assert await indexed.index_health() == [IndexHealth(KIND.model, 2, 615, 0, 1.0)]


@pytest.mark.usefixtures("early_optimisation")
async def test_a_damaged_index_is_a_refusal_and_others_are_still_reported(location: Storage) -> None:
    async with writing(location, index_rows=300) as writer:
        await writer.create("z", KIND, None)
        for name in (NAME, "z"):
            await enrol(writer, *people(300), name=name)
        await writer.optimise()
    [index] = location.table_folder((await location.table()).name).glob("_indices/*/index.idx")
    # Lance panics. A power loss can leave zeros.
    index.write_bytes(bytes(index.stat().st_size - 40) + index.read_bytes()[-40:])
    reader = Reader(location, 0)
    assert await refusal(search(reader, [vectors(1)[0]])) == "COLLECTION_UNREADABLE"
    assert [health.collections for health in await reader.index_health()] == [1]


@pytest.mark.usefixtures("early_optimisation")
@pytest.mark.parametrize(("size", "kind"), [(12, "IvfSq"), (16, "IvfRq")])
async def test_the_kind_of_index_fits_the_embeddings_and_replaces_other_kinds(
    location: Storage, size: int, kind: str
) -> None:
    async with writing(location, index_rows=300, collection=None) as writer:
        await writer.create(NAME, replace(KIND, size=size), None)
        faces = [NewFace(f"{row}", "photo", "", vector) for row, vector in enumerate(vectors(300, size=size))]
        await enrol(writer, *faces)
        await writer.optimise()
        assert await index_kinds(location) == [kind]
    # Another version may have created this index.
    await (await location.table()).create_index("vector", config=IvfFlat(distance_type="cosine"))
    async with writing(location, index_rows=300, collection=None) as writer:
        await writer.optimise()
        assert await index_kinds(location) == [kind]


@pytest.mark.usefixtures("early_optimisation")
async def test_a_collection_whose_mirror_fits_in_memory_gets_no_index(location: Storage) -> None:
    async with writing(location, index_rows=300, exact_mb=1) as writer:
        await enrol(writer, *people(300))
        await writer.optimise()
    assert await index_kinds(location) == []


async def index_kinds(location: Storage) -> list[str]:
    return [index.index_type for index in await (await location.table()).list_indices()]
