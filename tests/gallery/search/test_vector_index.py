"""Which index a large collection gets."""

import pytest
from lancedb.index import IvfFlat

from gallery.location import Location
from gallery.records import EmbeddingKind, NewFace
from tests.gallery.sample_gallery import KIND, NAME, enrol, people, table_of, vectors, writing


@pytest.mark.usefixtures("early_optimisation")
@pytest.mark.parametrize(("size", "kind"), [(12, "IvfSq"), (16, "IvfRq")])
async def test_the_kind_fits_the_embeddings_and_replaces_others(location: Location, size: int, kind: str) -> None:
    async with writing(location, index_rows=300, collection=None) as writer:
        await writer.create(NAME, EmbeddingKind("arcface", "m", KIND.contract, size), None)
        faces = [NewFace(f"{row}", "photo", "", vector) for row, vector in enumerate(vectors(300, size=size))]
        await enrol(writer, *faces)
        await writer.optimise()
        assert await index_kinds(location) == [kind]
    # As another version may have created it.
    await (await table_of(location)).create_index("vector", config=IvfFlat(distance_type="cosine"))
    async with writing(location, index_rows=300, collection=None) as writer:
        await writer.optimise()
        assert await index_kinds(location) == [kind]


@pytest.mark.usefixtures("early_optimisation")
async def test_a_collection_whose_mirror_fits_in_memory_gets_none(location: Location) -> None:
    async with writing(location, index_rows=300, exact_mb=1) as writer:
        await enrol(writer, *people(300))
        await writer.optimise()
    assert await index_kinds(location) == []


async def index_kinds(location: Location) -> list[str]:
    return [index.index_type for index in await (await table_of(location)).list_indices()]
