"""Labelled pairs from a folder or a CSV file, and the scores of real photos."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from evaluation.labelled import Pair, read_pairs, score_pairs
from evaluation.verification import area_under_curve
from imaging.decode import Limits
from models.catalogue import card
from models.detection import PhotoDetector
from models.device import Device
from models.engines import CropNetwork, load_detector, load_network
from models.errors import ModelError
from models.store import Store

EMBEDDER = card("mobilefacenet")


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def names(pairs: list[Pair], folder: Path) -> list[tuple[str, str, bool]]:
    return [(str(a.relative_to(folder)), str(b.relative_to(folder)), same) for a, b, same in pairs]


def listed(folder: Path, text: str) -> Path:
    file = folder / "pairs.csv"
    file.write_text(text, "utf-8")
    return file


def test_a_folder_gives_every_pair_of_its_photos(tmp_path: Path) -> None:
    touch(tmp_path, "ann/1.jpg", "ann/2.PNG", "bob/1.webp", "ann/notes.txt", "loose.jpg")
    assert names(read_pairs(tmp_path), tmp_path) == [
        ("ann/1.jpg", "ann/2.PNG", True),
        ("ann/1.jpg", "bob/1.webp", False),
        ("ann/2.PNG", "bob/1.webp", False),
    ]


def test_a_person_may_have_photos_in_several_sets(tmp_path: Path) -> None:
    touch(tmp_path, "train/ann/1.bmp", "val/ann/1.jpeg", "val/bob/1.jpg")
    assert [same for _, _, same in read_pairs(tmp_path)] == [True, False, False]


@pytest.mark.parametrize(
    ("photos", "kind"), [(["ann/1.jpg", "bob/1.jpg"], "genuine"), (["ann/1.jpg", "ann/2.jpg"], "impostor")]
)
def test_a_folder_without_both_kinds_of_pairs_is_refused(tmp_path: Path, photos: list[str], kind: str) -> None:
    touch(tmp_path, *photos)
    with pytest.raises(ModelError, match=f"has no {kind} pair"):
        read_pairs(tmp_path)


def test_a_csv_file_names_pairs_relative_to_itself(tmp_path: Path) -> None:
    file = listed(tmp_path, 'ann/1.jpg, ann/2.jpg ,1\r\n"with, comma.jpg",bob.jpg, 0\r\n')
    assert names(read_pairs(file), tmp_path) == [
        ("ann/1.jpg", "ann/2.jpg", True),
        ("with, comma.jpg", "bob.jpg", False),
    ]


@pytest.mark.parametrize("line", ["a.jpg,b.jpg", "a.jpg,b.jpg,2", "a.jpg,b.jpg,1,1", "a.jpg,b.jpg,yes", ""])
def test_a_line_that_cannot_be_understood_is_named(tmp_path: Path, line: str) -> None:
    file = listed(tmp_path, f"a.jpg,b.jpg,1\na.jpg,c.jpg,0\n{line}\na.jpg,b.jpg,1\n")
    with pytest.raises(ModelError, match=r"pairs\.csv, line 3: expected two paths and 0 or 1"):
        read_pairs(file)


@pytest.mark.parametrize(("label", "kind"), [("1", "impostor"), ("0", "genuine")])
def test_a_csv_file_without_both_kinds_of_pairs_is_refused(tmp_path: Path, label: str, kind: str) -> None:
    with pytest.raises(ModelError, match=f"has no {kind} pair"):
        read_pairs(listed(tmp_path, f"a.jpg,b.jpg,{label}\n"))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"the pairs cannot be read.*nowhere\.csv"):
        read_pairs(tmp_path / "nowhere.csv")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    file.write_bytes(b"\xff\xd8\xff\xe0 a photo, not a list")
    with pytest.raises(ModelError, match=r"pairs\.csv"):
        read_pairs(file)


@pytest.fixture(scope="module")
def detect(store: Store) -> PhotoDetector:
    return PhotoDetector(load_detector(card("mtcnn"), store, "onnx", Device(), {}), Limits())


@pytest.fixture(scope="module")
def embed(store: Store) -> CropNetwork:
    return load_network(EMBEDDER, store, "onnx", Device())


@pytest.fixture
def people(sample_photos: Path, tmp_path: Path) -> Path:
    """Two people with three photos each."""
    for person in ("madonna", "jerry_seinfeld"):
        (tmp_path / person).mkdir()
        for path in sorted((sample_photos / person).glob("*.jpg"))[:3]:
            shutil.copy(path, tmp_path / person)
    return tmp_path


def test_photos_of_one_person_score_higher(people: Path, detect: PhotoDetector, embed: CropNetwork) -> None:
    scores = score_pairs(read_pairs(people), detect, embed, EMBEDDER.crops[0])
    assert (len(scores.genuine), len(scores.impostor), scores.photos, scores.faceless) == (6, 9, 6, ())
    assert area_under_curve(scores.genuine, scores.impostor) == 1
    assert scores.genuine.min() > scores.impostor.max()
    assert np.abs(np.concatenate([scores.genuine, scores.impostor])).max() <= 1 + 1e-6


def test_photos_without_a_face_are_counted_and_left_out(
    people: Path, detect: PhotoDetector, embed: CropNetwork
) -> None:
    broken = people / "madonna" / "broken.jpg"
    broken.write_bytes(b"no photo")
    scores = score_pairs(read_pairs(people), detect, embed, EMBEDDER.crops[0])
    assert (len(scores.genuine), len(scores.impostor), scores.photos, scores.faceless) == (6, 9, 7, (broken,))


def test_too_few_faces_are_an_error(tmp_path: Path, detect: PhotoDetector, embed: CropNetwork) -> None:
    touch(tmp_path, "ann/1.jpg", "ann/2.jpg", "bob/1.jpg")
    with pytest.raises(ModelError, match="too few faces"):
        score_pairs(read_pairs(tmp_path), detect, embed, EMBEDDER.crops[0])


def test_a_photo_that_is_not_there_is_named(people: Path, detect: PhotoDetector, embed: CropNetwork) -> None:
    first, second = sorted((people / "madonna").iterdir())[:2]
    file = listed(people, f"{first},{second},1\n{first},nowhere.jpg,0\n")
    with pytest.raises(ModelError, match=r"nowhere\.jpg"):
        score_pairs(read_pairs(file), detect, embed, EMBEDDER.crops[0])
