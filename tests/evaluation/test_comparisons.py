"""The answers of a network for photos, and the scores of their pairs."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from evaluation.answers import Answers, answers
from evaluation.comparisons import compare
from evaluation.labelled import Labelled
from evaluation.local_stages import detector_stage, face_stage
from imaging.decode import Limits
from imaging.faces import Face, Pixels
from models.catalogue import card
from models.detection import Detector, PhotoDetector
from models.errors import ModelError
from tests.models.cards import made_card

NETWORK = made_card(crops=[{"size": 8, "fit": "box"}], output={"size": 3})


class NotInTheDark(Detector):
    """Finds a small face on the left and a large one in the middle of any photo that is not black."""

    def detect(self, pixels: Pixels) -> list[Face]:
        landmarks = np.array([[10, 5], [20, 5], [15, 10], [10, 15], [20, 15]], np.float32)
        boxes = [(0, 0, 4, 4), (10, 0, 30, 20)] if pixels.any() else []
        return [Face(box, 1.0, landmarks) for box in boxes]


def asked(*photos: Path) -> Answers:
    """The answers of a network that returns the mean colour of its crop."""
    detector = detector_stage(card("mtcnn"), PhotoDetector(NotInTheDark(), Limits()))
    return answers(photos, detector, face_stage(NETWORK, lambda crops: crops.mean(axis=(1, 2))))


def test_a_network_is_asked_about_the_prominent_face_and_a_faceless_photo_has_no_answer(tmp_path: Path) -> None:
    photo = np.zeros((20, 40, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "black.png"), photo)
    photo[:, 10:30] = 255
    cv2.imwrite(str(tmp_path / "white.png"), photo)
    (tmp_path / "broken.png").write_bytes(b"no photo")
    found = asked(*(tmp_path / f"{name}.png" for name in ("black", "white", "broken")))
    np.testing.assert_array_equal(found, [[np.nan] * 3, [255] * 3, [np.nan] * 3])
    with pytest.raises(ModelError, match="no face was found"):
        asked(tmp_path / "black.png")
    with pytest.raises(ModelError, match=r"nowhere\.png"):
        asked(tmp_path / "nowhere.png")


def test_scores_are_cosines_of_the_pairs_with_two_faces() -> None:
    embeddings = np.array([[2.0, 0.0], [3.0, 3.0], [0.0, 0.5], [np.nan, np.nan]])
    pairs = np.stack(np.triu_indices(4, 1), axis=1)
    found = compare(Labelled((Path(),) * 4, np.array([0, 0, 1, 1]), pairs, whole=True), embeddings)
    assert found.scores.tolist() == pytest.approx([0.5**0.5, 0, 0.5**0.5])
    assert found.subjects.tolist() == [[0, 0], [0, 1], [0, 1]]
    assert (found.lost_genuine, found.lost_impostor) == (1, 2)
    # Of 4 impostor pairs 2 have a faceless photo and cannot match; of 2 genuine pairs one is lost and half the other.
    assert found.with_faceless(1.0, 0.5) == (2 / 4, 1.5 / 2)


def test_too_few_faces_are_an_error() -> None:
    pairs = np.stack(np.triu_indices(3, 1), axis=1)
    with pytest.raises(ModelError, match="too few faces"):
        compare(Labelled((Path(),) * 3, np.array([0, 0, 1]), pairs, whole=True), np.array([[1.0], [np.nan], [1.0]]))
