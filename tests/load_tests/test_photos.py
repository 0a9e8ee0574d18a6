"""The photos that load tests send."""

from pathlib import Path

import pytest

from load_tests.photos import MOST, in_folder


def test_of_very_many_photos_some_are_taken_from_everywhere(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(b"none")
    for number in range(3 * MOST):
        (tmp_path / f"{number:04}.JPG").write_bytes(b"photo")
    names = [path.name for path in in_folder(tmp_path)]
    assert len(set(names)) == MOST
    assert names[0] == "0000.JPG"
    assert names[-1] >= f"{3 * MOST - 3:04}.JPG"


def test_one_photo_is_not_enough(tmp_path: Path) -> None:
    (tmp_path / "one.jpg").write_bytes(b"one")
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ValueError, match="at least two"):
            in_folder(folder)
