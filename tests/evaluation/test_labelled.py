"""Labelled pairs from a folder or a CSV file, and the scores of a network for them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from evaluation import labelled
from evaluation.answers import Answers, answers
from evaluation.comparisons import compare
from evaluation.labelled import Labelled, read_labelled
from evaluation.local_stages import detector_stage, face_stage
from imaging.decode import Limits
from imaging.faces import Face, Pixels
from models.catalogue import card
from models.detection import Detector, PhotoDetector
from models.errors import ModelError
from tests.evaluation import touch
from tests.models.cards import made_card


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
    # Of 4 impostor pairs, 2 match; the others have a faceless photo. Of 2 genuine pairs, one has a faceless photo, and
    # half of the other does not match.
    assert found.with_faceless(1.0, 0.5) == (2 / 4, 1.5 / 2)


def test_too_few_faces_are_an_error() -> None:
    pairs = np.stack(np.triu_indices(3, 1), axis=1)
    with pytest.raises(ModelError, match="too few faces"):
        compare(Labelled((Path(),) * 3, np.array([0, 0, 1]), pairs, whole=True), np.array([[1.0], [np.nan], [1.0]]))
