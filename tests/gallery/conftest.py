"""What the tests of the gallery share."""

import weakref
from pathlib import Path
from typing import Any

import pytest

import gallery.face_table
from gallery import transfer
from gallery.location import Location
from gallery.mirror import Mirror


@pytest.fixture
def location(tmp_path: Path) -> Location:
    """A folder for a gallery, which is not there yet."""
    return Location(str(tmp_path / "gallery"))


@pytest.fixture
def fresh(tmp_path: Path) -> Location:
    """A folder for another one."""
    return Location(str(tmp_path / "fresh"))


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports and imports go a few faces at a time, so that a gallery of some dozens takes several batches."""
    monkeypatch.setattr(transfer, "BATCH", 7)


@pytest.fixture
def mirrors(monkeypatch: pytest.MonkeyPatch) -> list[weakref.ref[Mirror]]:
    """Every mirror that a reader makes, for as long as somebody holds it."""
    made: list[weakref.ref[Mirror]] = []

    class Noted(Mirror):
        def __init__(self, table: Any, size: int) -> None:
            super().__init__(table, size)
            made.append(weakref.ref(self))

    monkeypatch.setattr(gallery.face_table, "Mirror", Noted)
    return made
