"""Every detector finds all faces in real photos, no others, and correct landmarks."""

import io
import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from evaluation.detection import LabelledFace
from imaging.crops import quarter_turns
from imaging.decode import Limits, decode
from imaging.faces import Face, Photo
from imaging.geometry import Box
from imaging.pick import PROMINENT, Pick
from models.catalogue import card
from models.detection import PhotoDetector
from models.detectors.mediapipe import BlazeFace
from models.device import Device
from models.engines import load_detector
from models.errors import ModelError
from models.store import Store
from tests.conftest import shared_case, shared_faces
from tests.models.conftest import Loaded, portraits

LEFT_EYE, RIGHT_EYE, NOSE, LEFT_MOUTH, RIGHT_MOUTH = range(5)


def holds(box: Box, point: tuple[float, float]) -> bool:
    left, top, right, bottom = box
    return left <= point[0] < right and top <= point[1] < bottom


def overlap(first: Box, second: Box) -> float:
    """Intersection over union, or 0 if it is small."""
    return LabelledFace(first, {}).fit(second)


def test_every_nose_is_in_one_box_and_no_box_is_left_over(loaded: Loaded) -> None:
    folder = shared_faces("detection")
    wrong = {}
    for name, noses in json.loads((folder / "noses.json").read_text()).items():
        faces = loaded.look(folder / name)
        held = [[index for index, face in enumerate(faces) if holds(face.box, nose)] for nose in noses]
        if sorted(itertools.chain(*held)) != list(range(len(noses))) or len(faces) != len(noses):
            wrong[name] = held
        scores = [1.0, *(face.score for face in faces), 0.0]
        assert scores == sorted(scores, reverse=True)
    assert wrong == {}


def test_every_portrait_has_its_face_with_landmarks_in_order(loaded: Loaded, sample_photos: Path) -> None:
    faces = [loaded.look(path) for path in portraits(sample_photos, each=4)]
    assert [bool(found) for found in faces] == [True] * 20
    # CenterFace also finds two musicians of a band in the background.
    assert sum(map(len, faces)) <= 22
    for face, *_ in faces:
        x, y = face.landmarks.T
        assert face.landmarks.dtype == np.float32
        assert all(holds(face.box, (float(point[0]), float(point[1]))) for point in face.landmarks)
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
    photo = shared_case("fr_obama.jpg").read_bytes()
    [answer] = PhotoDetector(loaded.detector, Limits())([photo], [], Pick("one", 0.33)).photos
    assert isinstance(answer, Photo)
    assert answer.found == 1


def test_a_turned_photo_gives_the_same_face_turned(loaded: Loaded, sample_photos: Path) -> None:
    def prominent(data: bytes) -> tuple[Photo, tuple[Face, ...]]:
        [answer] = PhotoDetector(loaded.detector, Limits())([data], [], PROMINENT).photos
        assert isinstance(answer, Photo)
        return answer, answer.faces

    right = wrong = 0
    paths = portraits(sample_photos, each=2)
    for path, turns in zip(paths, itertools.cycle((1, 2, 3)), strict=False):
        file = io.BytesIO()
        PIL.Image.open(path).convert("RGB").rotate(90 * turns, expand=True).save(file, "BMP")
        _, [upright] = prominent(path.read_bytes())
        lying, faces = prominent(file.getvalue())
        for face in faces:
            back = face.turned(-turns, lying.width, lying.height)
            same = quarter_turns(back.landmarks) == 0 and overlap(back.box, upright.box) > 0.6
            right, wrong = right + same, wrong + (not same)
    # A missed face is refused, which is acceptable. Wrong landmarks would give false matches.
    assert right >= 0.8 * len(paths)
    assert wrong <= 1


def test_red_and_blue_are_not_confused(loaded: Loaded, sample_photos: Path) -> None:
    photos = [decode(path.read_bytes(), Limits()).pixels for path in portraits(sample_photos, each=2)]
    right, swapped = (
        np.mean([max((face.score for face in loaded.detector.detect(each)), default=0) for each in shown])
        for shown in (photos, [np.ascontiguousarray(photo[..., ::-1]) for photo in photos])
    )
    assert right > swapped


@pytest.mark.parametrize("size", [(1, 1), (1, 2000), (2000, 1), (2, 3), (12, 12), (33, 31)])
def test_photos_of_any_size_without_a_face_give_none(loaded: Loaded, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    for pixels in (noise, np.zeros_like(noise), np.full_like(noise, 255)):
        assert loaded.detector.detect(pixels) == loaded.detector.find(pixels, Pick("largest")) == []


@pytest.mark.parametrize("loaded", ["mediapipe-full-range", "retinaface-mobilenet", "centerface"], indirect=True)
def test_boxes_are_framed_as_mtcnn_frames_them(loaded: Loaded, store: Store, sample_photos: Path) -> None:
    mtcnn = Loaded("mtcnn", load_detector(card("mtcnn"), store, "onnx", Device(), {}))
    photos = portraits(sample_photos, each=2)
    assert np.mean([overlap(loaded.look(path)[0].box, mtcnn.look(path)[0].box) for path in photos]) > 0.75


def test_the_least_score_of_blazeface_is_its_option(store: Store, sample_photos: Path) -> None:
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
