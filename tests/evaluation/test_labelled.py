"""Labelled pairs from a folder or a CSV file."""

from pathlib import Path

import pytest

from evaluation import labelled
from evaluation.labelled import Labelled, read_labelled
from models.errors import ModelError
from tests.evaluation import touch


def names(found: Labelled, folder: Path) -> list[tuple[str, str, bool]]:
    photos = [str(photo.relative_to(folder)) for photo in found.photos]
    return [(photos[a], photos[b], bool(found.subjects[a] == found.subjects[b])) for a, b in found.pairs]


def listed(folder: Path, text: str) -> Path:
    file = folder / "pairs.csv"
    file.write_bytes(text.encode("latin-1"))
    return file


def test_a_folder_gives_every_pair_of_its_photos(tmp_path: Path) -> None:
    """A person may have photos in several folders."""
    touch(tmp_path, "train/ann/1.jpg", "val/ann/2.PNG", "val/bob/1.webp", "train/ann/notes.txt", "loose.jpg")
    found = read_labelled(tmp_path)
    assert found.whole
    assert names(found, tmp_path) == [
        ("train/ann/1.jpg", "val/ann/2.PNG", True),
        ("train/ann/1.jpg", "val/bob/1.webp", False),
        ("val/ann/2.PNG", "val/bob/1.webp", False),
    ]


def test_a_csv_file_names_pairs_relative_to_itself(tmp_path: Path) -> None:
    file = listed(tmp_path, 'ann/1.jpg, ann/2.jpg ,1\r\n"with, comma.jpg",bob.jpg, 0\r\n')
    assert names(read_labelled(file), tmp_path) == [
        ("ann/1.jpg", "ann/2.jpg", True),
        ("with, comma.jpg", "bob.jpg", False),
    ]


def test_genuine_pairs_of_a_csv_file_link_photos_to_one_subject(tmp_path: Path) -> None:
    found = read_labelled(listed(tmp_path, "c.jpg,b.jpg,1\na.jpg,d.jpg,1\na.jpg,b.jpg,1\na.jpg,e.jpg,0\n"))
    assert [photo.name for photo in found.photos] == ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"]
    assert len(set(found.subjects[:4])) == 1
    assert set(found.subjects) == {0, 1}
    assert not found.whole


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        *((f"a.jpg,b.jpg,1\n{line}\n", "line 2: ") for line in ("a.jpg,b.jpg", "a.jpg,b.jpg,2", "a.jpg,b.jpg,1,1", "")),
        ("a.jpg,b.jpg,1\n", "no impostor pair"),
        ("a.jpg,b.jpg,0\n", "no genuine pair"),
        ("a.jpg,b.jpg,1\nb.jpg,c.jpg,1\na.jpg,c.jpg,0\n", r"a\.jpg and c\.jpg are "),
        ("\xff\xd8\xff\xe0 a photo, not a list", "codec"),
        (None, "No such file"),
    ],
)
def test_an_unsuitable_file_is_refused(tmp_path: Path, text: str | None, problem: str) -> None:
    file = tmp_path / "pairs.csv" if text is None else listed(tmp_path, text)
    with pytest.raises(ModelError, match=rf"pairs\.csv.*{problem}|{problem}.*pairs\.csv"):
        read_labelled(file)


def test_a_folder_with_too_few_or_too_many_pairs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "ann/1.jpg", "bob/1.jpg")
    with pytest.raises(ModelError, match="no genuine pair"):
        read_labelled(tmp_path)
    monkeypatch.setattr(labelled, "MAX_PAIRS", 2)
    touch(tmp_path, "ann/2.jpg")
    with pytest.raises(ModelError, match="has 3 pairs; the maximum is 2"):
        read_labelled(tmp_path)
