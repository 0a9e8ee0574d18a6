"""When collections are optimised and cleaned, and new faces gathered."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from itertools import product
from unittest.mock import AsyncMock

import pytest
from lancedb import AsyncTable

import gallery.writing.maintainer
import gallery.writing.maintenance
from gallery.errors import all_failures
from gallery.reading.reader import Reader
from gallery.records import NewFace
from gallery.search.vector_index import DEFAULT_RULE
from gallery.writing.maintainer import FEW_COMMITS, GATHER_COMMITS, MANY_COMMITS, Maintainer
from gallery.writing.registry import LARGE_COMMIT, OpenCollection, Registry
from gallery.writing.writer import Writer
from tests.fakes import serve_log
from tests.gallery.sample_gallery import (
    KIND,
    NAME,
    Storage,
    enrol,
    face,
    fragments,
    people,
    refusal,
    traceable_faces,
    writing,
)
from tests.waiting import TIMEOUT_S, eventually


@pytest.fixture
async def registry(location: Storage, writer: Writer) -> AsyncIterator[Registry]:
    """A gallery with one collection."""
    registry = await Registry.open(location)
    yield registry
    await registry.close()


@pytest.fixture
def opened(registry: Registry) -> OpenCollection:
    """Its collection, with as many new commits as are gathered."""
    [opened] = registry.opened
    opened.count_row_commit(GATHER_COMMITS * LARGE_COMMIT)
    return opened


async def test_a_collection_under_maintenance_is_gathered_later(registry: Registry, opened: OpenCollection) -> None:
    maintainer = Maintainer(registry, DEFAULT_RULE)
    async with registry.maintain(NAME):
        await asyncio.wait_for(maintainer.gather(), TIMEOUT_S)
        assert opened.ungathered
    await maintainer.gather()
    assert not opened.ungathered


async def test_an_optimisation_follows_a_gathering(registry: Registry, opened: OpenCollection) -> None:
    maintainer = Maintainer(registry, DEFAULT_RULE)
    async with opened.locks.change:
        gathering = asyncio.create_task(maintainer.gather())
        await eventually(opened.locks.maintenance.locked)
        optimising = asyncio.create_task(maintainer.optimise())
        await asyncio.sleep(0)
    await asyncio.gather(gathering, optimising)
    assert opened.commits == 0


async def is_optimised_after_one_more(location: Storage, writer: Writer) -> None:
    """Check that an optimisation changes nothing, until one more face is enrolled."""
    before = await location.versions()
    await writer.optimise()
    assert await location.versions() == before
    await enrol(writer, face("one more"))
    await writer.optimise()
    assert await location.versions() > before + 1


async def test_an_optimisation_merges_the_files_of_many_commits(location: Storage, writer: Writer) -> None:
    files = location.table_folder((await Reader(location, 8).collection(NAME)).table) / "data"
    for each in people(FEW_COMMITS - 1):
        await enrol(writer, each)
    await is_optimised_after_one_more(location, writer)
    await writer.clean()
    assert len(list(files.iterdir())) == 1
    assert len(await location.listed()) == FEW_COMMITS


async def test_an_optimisation_that_failed_is_not_urgent(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery.writing.maintainer, "FEW_COMMITS", 1)
    monkeypatch.setattr(gallery.writing.maintainer, "MANY_COMMITS", 2)
    monkeypatch.setattr(gallery.writing.maintenance, "merge_files", AsyncMock(side_effect=RuntimeError("killed")))
    for each in people(3):
        await enrol(writer, each)
    with pytest.raises(RuntimeError, match="killed"):
        await writer.optimise()
    assert not writer.optimisation_is_urgent


@pytest.mark.usefixtures("early_optimisation")
async def test_the_error_of_maintenance_names_all_failed_collections(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = AsyncMock(side_effect=[RuntimeError("killed"), RuntimeError("killed, too")])
    monkeypatch.setattr(gallery.writing.maintenance, "merge_files", killed)
    await writer.create("z", KIND, None)
    for name, each in product((NAME, "z"), people(3)):
        await enrol(writer, each, name=name)
    with pytest.raises(RuntimeError, match="killed") as caught:
        await writer.optimise()
    assert all_failures(caught.value) == f"{NAME}: RuntimeError('killed'); z: RuntimeError('killed, too')"


async def test_an_optimisation_is_urgent_after_many_commits_and_after_a_start(location: Storage) -> None:
    async with writing(location) as writer:
        await enrol(writer, *people(1))
        assert not writer.optimisation_is_urgent
        for each in people(MANY_COMMITS):
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
    await is_optimised_after_one_more(location, writer)


@pytest.fixture
async def faces(early_indexes: None, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> list[NewFace]:
    """58 faces. 50 are enrolled and indexed. Two new faces are gathered, and seven are merged with the others."""
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
    with monkeypatch.context() as patched, serve_log() as log:
        patched.setattr(AsyncTable, "update", update := AsyncMock(side_effect=OSError(28, "No space left")))
        for each in faces[50:53]:
            await enrol(writer, each)
            await writer.gather()
    assert (await fragments(await location.table()), update.await_count) == (4, 2)
    assert ["not gathered" in record.getMessage() for record in log] == [True]
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


async def test_a_failed_clean_up_of_one_collection_does_not_prevent_those_of_others(
    location: Storage, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    [gone], rewrite, damaged = traceable_faces(1), gallery.writing.maintenance.rewrite, (await location.table()).name

    async def failing(table: AsyncTable) -> None:
        if table.name == damaged:
            raise LookupError("unforeseen")
        await rewrite(table)

    monkeypatch.setattr(gallery.writing.maintenance, "rewrite", failing)
    await writer.create("z", KIND, None)
    await enrol(writer, gone, name="z")
    await writer.delete_subjects("z", [gone.subject])
    with pytest.raises(LookupError, match="unforeseen"):
        await writer.clean()
    assert location.traces([gone]) == []


async def test_a_clean_up_reports_a_collection_without_any_version(location: Storage, writer: Writer) -> None:
    [collection] = writer.collections
    shutil.rmtree(location.table_folder(collection.table) / "_versions")
    assert await refusal(writer.clean()) == "COLLECTION_UNREADABLE"


async def test_a_clean_up_with_nothing_to_erase_leaves_the_optimisation_due(
    registry: Registry, opened: OpenCollection
) -> None:
    maintainer = Maintainer(registry, DEFAULT_RULE)
    opened.erased = opened.removals
    assert await maintainer.clean() == {NAME: 0}
    assert maintainer.optimisation_is_urgent
