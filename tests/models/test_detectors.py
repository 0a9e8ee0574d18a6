"""In real photos, every detector finds all faces and nothing else, with correct landmarks."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from evaluation.detection import LabelledFace, measure_detection, read_photos
from evaluation.intervals import Share
from imaging.crops import CropSpec, cut, quarter_turns
from imaging.decode import Limits, decode
from imaging.encode import encode_png
from imaging.faces import Face, Photo, Pixels
from imaging.geometry import Box
from imaging.pick import PROMINENT, Pick
from models.catalogue import card
from models.detection import PhotoDetector
from models.detectors.mediapipe import BlazeFace
from models.device import Device
from models.engines import load_detector
from models.errors import ModelError
from models.store import Store
from tests.conftest import shared
from tests.models.conftest import Loaded, portraits

CELL, COLUMNS, ROWS = 666, 6, 4
SMALLEST = {"mtcnn": 140, "mediapipe-full-range": 210, "centerface": 110, "retinaface-mobilenet": 160}
"""Side in pixels at which half of the faces are found, in a photo of `COLUMNS` by `ROWS` cells: see docs/v1.md."""
LEFT_EYE, RIGHT_EYE, NOSE, LEFT_MOUTH, RIGHT_MOUTH = range(5)


def overlap(first: Box, second: Box) -> float:
    """Intersection over union, or 0 if it is small."""
    return LabelledFace(first, {}).fit(second)


def test_every_nose_is_in_one_box_and_no_box_is_left_over(loaded: Loaded) -> None:
    photos = read_photos(shared("faces/detection"))
    found = measure_detection(photos, PhotoDetector(loaded.detector, Limits()))
    assert (found.right, found.beyond) == (Share(len(photos), len(photos)), 0)


def test_every_portrait_has_its_face_with_landmarks_in_order(loaded: Loaded, sample_photos: Path) -> None:
    faces = [loaded.look(path) for path in portraits(sample_photos, each=4)]
    assert [bool(found) for found in faces] == [True] * 20
    # CenterFace also finds two musicians of a band in the background.
    assert sum(map(len, faces)) <= 22
    for face, *others in faces:
        x, y = face.landmarks.T
        assert face.landmarks.dtype == np.float32
        assert ((face.box[:2] <= face.landmarks) & (face.landmarks < face.box[2:])).all()
        assert all(face.score >= other.score for other in others)
        assert x[LEFT_EYE] < x[RIGHT_EYE]
        assert x[LEFT_MOUTH] < x[RIGHT_MOUTH]
        assert y[[LEFT_EYE, RIGHT_EYE]].mean() < y[NOSE] < y[[LEFT_MOUTH, RIGHT_MOUTH]].mean()


def test_detectors_are_thread_safe(loaded: Loaded, sample_photos: Path) -> None:
    photos = [decode(path.read_bytes(), Limits()).pixels for path in portraits(sample_photos, each=1)]

    def boxes(pixels: np.ndarray) -> list[Box]:
        return [face.box for face in loaded.detector.detect(pixels)]

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(boxes, photos)) == [boxes(pixels) for pixels in photos]


def test_a_pin_on_a_lapel_is_no_second_face(loaded: Loaded) -> None:
    photo = shared("cases/files/fr_obama.jpg").read_bytes()
    [answer] = PhotoDetector(loaded.detector, Limits())([photo], [], Pick("one", 0.33)).photos
    assert isinstance(answer, Photo)
    assert answer.found == 1


def test_a_turned_photo_gives_the_same_face_turned(loaded: Loaded, sample_photos: Path) -> None:
    detect = PhotoDetector(loaded.detector, Limits())
    right = wrong = 0
    paths = portraits(sample_photos, each=2)
    for path, turns in zip(paths, itertools.cycle((1, 2, 3)), strict=False):
        turned = encode_png(np.rot90(decode(path.read_bytes(), Limits()).pixels, turns))
        [upright, rotated] = detect([path.read_bytes(), turned], [], PROMINENT).photos
        assert isinstance(upright, Photo)
        assert isinstance(rotated, Photo)
        for face in rotated.faces:
            back = face.turned(-turns, rotated.width, rotated.height)
            same = quarter_turns(back.landmarks) == 0 and overlap(back.box, upright.faces[0].box) > 0.6
            right, wrong = right + same, wrong + (not same)
    # A missed face is refused, which is acceptable. Wrong landmarks would give false matches.
    assert right >= 0.8 * len(paths)
    assert wrong <= 1


def test_faces_that_fill_their_photo_are_found(loaded: Loaded, sample_photos: Path) -> None:
    tight, detect = CropSpec(112, "aligned"), PhotoDetector(loaded.detector, Limits())
    photos = [path.read_bytes() for path in sorted(sample_photos.glob("*/*.jpg"))[::12]]
    files = [encode_png(crop) for crop in detect(photos, [tight]).crops[tight]]
    answers = [answer.faces for answer in detect(files, []).photos if isinstance(answer, Photo)]
    assert len(answers) >= len(photos)
    seen = [faces[0] for faces in answers if faces]
    assert len(seen) >= 0.9 * len(answers)
    landmarks = np.median([face.landmarks for face in seen], axis=0)
    # The positions in the crops on which insightface trained its networks.
    assert np.abs(landmarks - [[38, 52], [74, 52], [56, 72], [42, 92], [71, 92]]).max() < 6


@pytest.mark.parametrize("size", [(1, 1), (1, 2000), (2000, 1), (12, 12), (33, 31)])
def test_photos_of_any_size_without_a_face_give_none(loaded: Loaded, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    for pixels in (noise, np.zeros_like(noise), np.full_like(noise, 255)):
        assert loaded.detector.detect(pixels) == loaded.detector.find(pixels, Pick("largest")) == []


@pytest.mark.parametrize("loaded", ["mediapipe-full-range", "retinaface-mobilenet", "centerface"], indirect=True)
def test_boxes_are_framed_as_mtcnn_frames_them(loaded: Loaded, store: Store, sample_photos: Path) -> None:
    mtcnn = Loaded("mtcnn", load_detector(card("mtcnn"), store, "onnx", Device(), {}))
    photos = portraits(sample_photos, each=2)
    assert np.mean([overlap(loaded.look(path)[0].box, mtcnn.look(path)[0].box) for path in photos]) > 0.75


def test_the_minimum_score_of_blazeface_is_an_option(store: Store, sample_photos: Path) -> None:
    detector = load_detector(card("mediapipe-full-range"), store, "onnx", Device(), {"min_score": 0.9})
    scores = [face.score for path in portraits(sample_photos, 2) for face in Loaded("", detector).look(path)]
    detector.close()
    assert 0 < len(scores) < 10
    assert min(scores) >= 0.9


def test_a_file_that_mediapipe_cannot_load_is_named(tmp_path: Path) -> None:
    file = tmp_path / "detector.tflite"
    file.write_bytes(b"no network")
    with pytest.raises(ModelError, match=r"MediaPipe cannot load .*detector\.tflite"):
        BlazeFace(file)


@pytest.fixture(scope="module")
def shown(sample_photos: Path, store: Store) -> list[tuple[Pixels, Face]]:
    """Portraits and their faces."""
    mtcnn = Loaded("mtcnn", load_detector(card("mtcnn"), store, "onnx", Device(), {}))
    found = [(path.read_bytes(), mtcnn.look(path)) for path in portraits(sample_photos, each=8)]
    return [(decode(data, Limits()).pixels, faces[0]) for data, faces in found if faces][: COLUMNS * ROWS]


@pytest.mark.parametrize(("times", "least", "most"), [(1.0, 0.5, 1.0), (0.5, 0.0, 0.4)])
def test_half_of_the_smallest_faces_are_found_and_few_of_half_their_size(
    loaded: Loaded, shown: list[tuple[Pixels, Face]], times: float, least: float, most: float
) -> None:
    def cell(pixels: Pixels, face: Face) -> Pixels:
        longer = max(face.box[2] - face.box[0], face.box[3] - face.box[1])
        scale = CELL / (times * SMALLEST[loaded.name]) * face.side / longer
        return cut(pixels, [face.box], [face.landmarks], CropSpec(CELL, "square", scale))

    cells = np.concatenate([cell(*each) for each in shown])
    sheet = cells.reshape(ROWS, COLUMNS, CELL, CELL, 3).swapaxes(1, 2).reshape(ROWS * CELL, COLUMNS * CELL, 3)
    [answer] = PhotoDetector(loaded.detector, Limits())([encode_png(sheet)], []).photos
    assert isinstance(answer, Photo)
    assert least <= answer.found / len(shown) <= most
