"""What the tests of the gallery share."""

from pathlib import Path

import pytest

from gallery.tables import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A folder for a gallery, which is not there yet."""
    return Place(str(tmp_path / "gallery"))
