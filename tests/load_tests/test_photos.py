"""The photos that load is made of."""

import base64
from pathlib import Path

import pytest

from load_tests.photos import MOST, NoPhotosError, in_folder, samples


def test_the_samples_are_of_all_five_people(sample_photos: Path) -> None:
    found = samples()
    people = {path.parent.name for path in sample_photos.glob("*/*.jpg") if path.name in {each.name for each in found}}
    assert len(people) == 5
    assert all(base64.b64decode(each.base64) == each.data for each in found)
    assert {each.kind for each in found} == {"image/jpeg"}


def test_a_folder_gives_the_photos_below_it(tmp_path: Path) -> None:
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "one.JPG").write_bytes(b"one")
    (tmp_path / "two.png").write_bytes(b"two")
    (tmp_path / "notes.txt").write_bytes(b"none")
    assert [(each.name, each.kind, each.data) for each in in_folder(tmp_path)] == [
        ("one.JPG", "image/jpeg", b"one"),
        ("two.png", "image/png", b"two"),
    ]


def test_of_very_many_photos_some_are_taken_from_everywhere(tmp_path: Path) -> None:
    for number in range(3 * MOST):
        (tmp_path / f"{number:04}.jpg").write_bytes(b"photo")
    names = [each.name for each in in_folder(tmp_path)]
    assert len(set(names)) == MOST
    assert names[0] == "0000.jpg"
    assert names[-1] >= f"{3 * MOST - 3:04}.jpg"


def test_one_photo_is_not_enough(tmp_path: Path) -> None:
    (tmp_path / "one.jpg").write_bytes(b"one")
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(NoPhotosError, match="at least two"):
            in_folder(folder)
