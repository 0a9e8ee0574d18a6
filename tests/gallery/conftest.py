"""What the tests of the gallery share."""

from pathlib import Path

import pytest

from gallery import transfer
from gallery.place import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A folder for a gallery, which is not there yet."""
    return Place(str(tmp_path / "gallery"))


@pytest.fixture
def fresh(tmp_path: Path) -> Place:
    """A folder for another one."""
    return Place(str(tmp_path / "fresh"))


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports and imports go a few faces at a time, so that a gallery of some dozens takes several batches."""
    monkeypatch.setattr(transfer, "BATCH", 7)
