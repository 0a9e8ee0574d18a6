"""Maintenance while faces are enrolled."""

import pytest
from lancedb import AsyncTable

from gallery.location import Location
from gallery.search.vector_index import DEFAULT_RULE
from gallery.storage.locks import CollectionLocks
from gallery.unit_vectors import normalised
from gallery.writing import maintenance
from gallery.writing.writer import Writer
from tests.gallery.sample_gallery import NAME, SIZE, enrol, folder_of, people, stored_bytes, table_of, traceable_faces


async def test_enrolments_wait_for_work_that_they_have_overtaken(
    location: Location, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lance gives up if others have committed before each of its attempts."""
    rewrite, locks, waiting = maintenance.rewrite, CollectionLocks(), list[bool]()

    async def overtaken(table: AsyncTable) -> None:
        waiting.append(locks.change.locked())
        if len(waiting) == 1:
            raise RuntimeError("lance error: Too many concurrent writers. Attempted 7 times")
        await rewrite(table)

    monkeypatch.setattr(maintenance, "rewrite", overtaken)
    [gone] = traceable_faces(1)
    await enrol(writer, *people(3), gone)
    await writer.delete_subjects(NAME, [gone.subject])
    await maintenance.clean(await table_of(location), locks, DEFAULT_RULE, location)
    assert waiting == [False, True]
    assert normalised(gone.embedding, SIZE).tobytes() not in stored_bytes(folder_of(location))
