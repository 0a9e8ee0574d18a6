"""Maintenance of a collection that is already being maintained."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gallery.search.vector_index import DEFAULT_RULE
from gallery.writing.maintainer import GATHER_COMMITS, Maintainer
from gallery.writing.registry import LARGE_COMMIT, OpenCollection, Registry
from gallery.writing.writer import Writer
from tests.gallery.sample_gallery import NAME, Storage
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
