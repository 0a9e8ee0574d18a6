"""Labelled pairs from a folder or a CSV file."""

from pathlib import Path

import pytest

from evaluation import labelled
from evaluation.labelled import Labelled, read_labelled
from models.errors import ModelError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def names(found: Labelled, folder: Path) -> list[tuple[str, str, bool]]:
    photos = [str(photo.relative_to(folder)) for photo in found.photos]
    return [(photos[a], photos[b], bool(found.subjects[a] == found.subjects[b])) for a, b in found.pairs]


def listed(folder: Path, text: str) -> Path:
    file = folder / "pairs.csv"
    file.write_text(text, "utf-8")
    return file


def test_a_folder_gives_every_pair_of_its_photos(tmp_path: Path) -> None:
    touch(tmp_path, "ann/1.jpg", "ann/2.PNG", "bob/1.webp", "ann/notes.txt", "loose.jpg")
    assert names(read_labelled(tmp_path), tmp_path) == [
        ("ann/1.jpg", "ann/2.PNG", True),
        ("ann/1.jpg", "bob/1.webp", False),
        ("ann/2.PNG", "bob/1.webp", False),
    ]


def test_a_person_may_have_photos_in_several_sets(tmp_path: Path) -> None:
    touch(tmp_path, "train/ann/1.bmp", "val/ann/1.jpeg", "val/bob/1.jpg")
    assert [same for _, _, same in names(read_labelled(tmp_path), tmp_path)] == [True, False, False]


@pytest.mark.parametrize(
    ("photos", "kind"), [(["ann/1.jpg", "bob/1.jpg"], "genuine"), (["ann/1.jpg", "ann/2.jpg"], "impostor")]
)
def test_a_folder_without_both_kinds_of_pairs_is_refused(tmp_path: Path, photos: list[str], kind: str) -> None:
    touch(tmp_path, *photos)
    with pytest.raises(ModelError, match=f"has no {kind} pair"):
        read_labelled(tmp_path)


def test_a_csv_file_names_pairs_relative_to_itself(tmp_path: Path) -> None:
    file = listed(tmp_path, 'ann/1.jpg, ann/2.jpg ,1\r\n"with, comma.jpg",bob.jpg, 0\r\n')
    assert names(read_labelled(file), tmp_path) == [
        ("ann/1.jpg", "ann/2.jpg", True),
        ("with, comma.jpg", "bob.jpg", False),
    ]


@pytest.mark.parametrize("line", ["a.jpg,b.jpg", "a.jpg,b.jpg,2", "a.jpg,b.jpg,1,1", "a.jpg,b.jpg,yes", ""])
def test_a_line_that_cannot_be_understood_is_named(tmp_path: Path, line: str) -> None:
    file = listed(tmp_path, f"a.jpg,b.jpg,1\na.jpg,c.jpg,0\n{line}\na.jpg,b.jpg,1\n")
    with pytest.raises(ModelError, match=r"pairs\.csv, line 3: expected two paths and 0 or 1"):
        read_labelled(file)


@pytest.mark.parametrize(("label", "kind"), [("1", "impostor"), ("0", "genuine")])
def test_a_csv_file_without_both_kinds_of_pairs_is_refused(tmp_path: Path, label: str, kind: str) -> None:
    with pytest.raises(ModelError, match=f"has no {kind} pair"):
        read_labelled(listed(tmp_path, f"a.jpg,b.jpg,{label}\n"))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"the pairs cannot be read.*nowhere\.csv"):
        read_labelled(tmp_path / "nowhere.csv")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    file.write_bytes(b"\xff\xd8\xff\xe0 a photo, not a list")
    with pytest.raises(ModelError, match=r"pairs\.csv"):
        read_labelled(file)


def test_genuine_pairs_of_a_csv_file_link_photos_to_one_subject(tmp_path: Path) -> None:
    found = read_labelled(listed(tmp_path, "c.jpg,b.jpg,1\na.jpg,d.jpg,1\na.jpg,b.jpg,1\na.jpg,e.jpg,0\n"))
    assert [photo.name for photo in found.photos] == ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"]
    assert len(set(found.subjects[:4])) == 1
    assert found.subjects[4] != found.subjects[0]
    assert not found.whole
    assert set(found.subjects) == {0, 1}


def test_lines_that_contradict_others_are_named(tmp_path: Path) -> None:
    file = listed(tmp_path, "a.jpg,b.jpg,1\nb.jpg,c.jpg,1\na.jpg,c.jpg,0\n")
    with pytest.raises(ModelError, match=r"a\.jpg and c\.jpg are two people, and other lines make them one"):
        read_labelled(file)


def test_too_many_pairs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelled, "MAX_PAIRS", 2)
    touch(tmp_path, "ann/1.jpg", "ann/2.jpg", "bob/1.jpg")
    with pytest.raises(ModelError, match="has 3 pairs, more than 2"):
        read_labelled(tmp_path)
