"""The scores of real photos, and of photos without a face."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from evaluation.answers import answers
from evaluation.comparisons import Comparisons, compare
from evaluation.labelled import Labelled, read_labelled
from evaluation.verification import Trials
from imaging.decode import Limits
from models.catalogue import card
from models.detection import PhotoDetector
from models.device import Device
from models.engines import CropNetwork, load_detector, load_network
from models.errors import ModelError
from models.store import Store

EMBEDDER = card("mobilefacenet")


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


def measured(folder: Path, detect: PhotoDetector, embed: CropNetwork) -> Comparisons:
    labelled = read_labelled(folder)
    return compare(labelled, answers(labelled.photos, detect, embed, EMBEDDER.crops))


def test_photos_of_one_person_score_higher(people: Path, detect: PhotoDetector, embed: CropNetwork) -> None:
    found = measured(people, detect, embed)
    assert (found.genuine.sum(), len(found.scores), found.lost_genuine, found.lost_impostor) == (6, 15, 0, 0)
    assert Trials(found.scores, found.genuine).curve().area() == 1
    assert np.abs(found.scores).max() <= 1 + 1e-6


def test_photos_without_a_face_are_counted_and_left_out(
    people: Path, detect: PhotoDetector, embed: CropNetwork
) -> None:
    (people / "madonna" / "broken.jpg").write_bytes(b"no photo")
    found = measured(people, detect, embed)
    assert (found.genuine.sum(), len(found.scores), found.lost_genuine, found.lost_impostor) == (6, 15, 3, 3)
    # Of 12 impostor pairs 3 cannot match; of 9 genuine ones 3 are lost and half of the others.
    assert found.with_faceless(1.0, 0.5) == (9 / 12, (3 + 3) / 9)


def test_scores_are_cosines_of_the_pairs() -> None:
    embeddings = np.array([[2.0, 0.0], [3.0, 3.0], [0.0, 0.5], [np.nan, np.nan]])
    pairs = np.stack(np.triu_indices(4, 1), axis=1)
    found = compare(Labelled((Path(),) * 4, np.array([0, 0, 1, 1]), pairs, whole=True), embeddings)
    assert found.scores.tolist() == pytest.approx([0.5**0.5, 0, 0.5**0.5])
    assert found.subjects.tolist() == [[0, 0], [0, 1], [0, 1]]
    assert (found.lost_genuine, found.lost_impostor) == (1, 2)


def test_too_few_faces_are_an_error() -> None:
    pairs = np.stack(np.triu_indices(3, 1), axis=1)
    embeddings = np.array([[1.0], [np.nan], [1.0]])
    with pytest.raises(ModelError, match="too few faces"):
        compare(Labelled((Path(),) * 3, np.array([0, 0, 1]), pairs, whole=True), embeddings)


def test_without_any_face_there_is_nothing_to_measure(
    tmp_path: Path, detect: PhotoDetector, embed: CropNetwork
) -> None:
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(ModelError, match="no face was found"):
        answers([tmp_path / "empty.jpg"], detect, embed, EMBEDDER.crops)


def test_a_photo_that_is_not_there_is_named(tmp_path: Path, detect: PhotoDetector, embed: CropNetwork) -> None:
    with pytest.raises(ModelError, match=r"nowhere\.jpg"):
        answers([tmp_path / "nowhere.jpg"], detect, embed, EMBEDDER.crops)
