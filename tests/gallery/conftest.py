"""Fixtures of the gallery's tests."""

import weakref
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import gallery.reading.face_table
import gallery.writing.maintainer
import gallery.writing.maintenance
from gallery.reading.reader import Reader
from gallery.search.mirror import Mirror
from gallery.transfer import consistent_reads
from gallery.writing.writer import Writer
from tests.gallery.sample_gallery import Storage, writing


@pytest.fixture
def location(tmp_path: Path) -> Storage:
    """A folder for a gallery, which does not exist yet."""
    return Storage(str(tmp_path / "gallery"))


@pytest.fixture
async def writer(location: Storage) -> AsyncIterator[Writer]:
    """The writer of the gallery at `location`, with an empty collection."""
    async with writing(location) as writer:
        yield writer


@pytest.fixture
def reader(location: Storage) -> Reader:
    """A reader of the gallery at `location` that searches exactly."""
    return Reader(location, 8)


@pytest.fixture
def fresh(tmp_path: Path) -> Storage:
    """A folder for another gallery."""
    return Storage(str(tmp_path / "fresh"))


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy a few faces at a time, so that a small gallery takes several batches."""
    monkeypatch.setattr(consistent_reads, "BATCH", 7)


@pytest.fixture
def mirrors(monkeypatch: pytest.MonkeyPatch) -> list[weakref.ref[Mirror]]:
    """References to every mirror that a reader creates."""
    created: list[weakref.ref[Mirror]] = []

    def noted(*args: Any) -> Mirror:
        mirror = Mirror(*args)
        created.append(weakref.ref(mirror))
        return mirror

    monkeypatch.setattr(gallery.reading.face_table, "Mirror", noted)
    return created


@pytest.fixture
def early_optimisation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Optimisation has an effect after one commit."""
    monkeypatch.setattr(gallery.writing.maintainer, "FEW_COMMITS", 1)


@pytest.fixture
def early_indexes(early_optimisation: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Optimise after one commit, index keys from 50 rows on, and merge all files once a row is outside an index."""
    monkeypatch.setattr(gallery.writing.maintenance, "KEYED_ROWS", 50)
    monkeypatch.setattr(gallery.writing.maintenance, "SCATTERED_ROWS", 1)
