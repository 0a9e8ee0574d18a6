"""Every detector on real photos: all faces, no others, and landmarks where they belong."""

import io
import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from imaging.crops import quarter_turns
from imaging.decode import Limits, decode
from imaging.faces import Photo
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
MIRRORED = [RIGHT_EYE, LEFT_EYE, NOSE, RIGHT_MOUTH, LEFT_MOUTH]


def holds(box: Box, point: tuple[float, float]) -> bool:
    left, top, right, bottom = box
    return left <= point[0] < right and top <= point[1] < bottom


def overlap(first: Box, second: Box) -> float:
    """Intersection over union."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return shared / (sum(areas) - shared)


def test_every_nose_is_in_one_box_and_no_box_is_left_over(loaded: Loaded) -> None:
    folder = shared_faces("detection")
    wrong = {}
    for name, noses in json.loads((folder / "noses.json").read_text()).items():
        boxes = [face.box for face in loaded.look(folder / name)]
        held = [[index for index, box in enumerate(boxes) if holds(box, nose)] for nose in noses]
        if sorted(itertools.chain(*held)) != list(range(len(noses))) or len(boxes) != len(noses):
            wrong[name] = held
    assert wrong == {}


def test_every_portrait_has_its_face(loaded: Loaded, sample_photos: Path) -> None:
    counts = [len(loaded.look(path)) for path in portraits(sample_photos, each=5)]
    assert len(counts) == 25
    assert min(counts) == 1
    # Of a band behind one of them, CenterFace finds two musicians.
    assert sum(counts) <= 27


def test_landmarks_come_in_order_and_lie_in_the_box(loaded: Loaded, sample_photos: Path) -> None:
    for path in portraits(sample_photos, each=2):
        face = loaded.look(path)[0]
        x, y = face.landmarks.T
        assert face.landmarks.shape == (5, 2)
        assert face.landmarks.dtype == np.float32
        assert all(holds(face.box, (float(point[0]), float(point[1]))) for point in face.landmarks)
        assert x[LEFT_EYE] < x[RIGHT_EYE]
        assert x[LEFT_MOUTH] < x[RIGHT_MOUTH]
        assert y[[LEFT_EYE, RIGHT_EYE]].mean() < y[NOSE] < y[[LEFT_MOUTH, RIGHT_MOUTH]].mean()


@pytest.mark.parametrize("pick", [Pick("largest"), Pick("prominent"), Pick("one", 0.33)], ids=lambda pick: pick.rule)
def test_the_faces_that_count_are_those_of_all(loaded: Loaded, sample_photos: Path, pick: Pick) -> None:
    """Even if a detector looks no further. Some photos are enlarged, so that the face is large in many pixels."""
    photos = [decode(path.read_bytes(), Limits()).pixels for path in portraits(sample_photos, each=3)]
    photos += [np.asarray(cv2.resize(each, None, fx=2, fy=2), np.uint8) for each in photos[::2]]
    photos += [decode(path.read_bytes(), Limits()).pixels for path in shared_faces("detection").glob("*.jpg")]
    for pixels in photos:
        height, width = pixels.shape[:2]
        counted = pick.of(loaded.detector.detect(pixels), width, height, loaded.detector.rival_score)
        assert [face.box for face in loaded.detector.find(pixels, pick)] == [face.box for face in counted]


def test_photos_seen_side_by_side_do_not_share_faces(loaded: Loaded, sample_photos: Path) -> None:
    paths = portraits(sample_photos, each=3)
    alone = [[face.box for face in loaded.look(path)] for path in paths]
    with ThreadPoolExecutor(8) as threads:
        assert [[face.box for face in faces] for faces in threads.map(loaded.look, paths)] == alone


def test_scores_fall_from_face_to_face(loaded: Loaded) -> None:
    scores = [face.score for face in loaded.look(shared_faces("detection") / "016_8.jpg")]
    assert scores == sorted(scores, reverse=True)
    assert 0 < scores[-1] < scores[0] <= 1


def test_a_mirrored_photo_gives_a_mirrored_face(loaded: Loaded, sample_photos: Path) -> None:
    pixels = decode(portraits(sample_photos, each=1)[0].read_bytes(), Limits()).pixels
    width = pixels.shape[1]
    face = loaded.detector.detect(pixels)[0]
    mirrored = loaded.detector.detect(np.ascontiguousarray(pixels[:, ::-1]))[0]
    left, top, right, bottom = mirrored.box
    assert overlap(face.box, (width - right, top, width - left, bottom)) > 0.85
    side = face.box[2] - face.box[0]
    back = mirrored.landmarks[MIRRORED] * (-1, 1) + (width, 0)
    assert np.abs(back - face.landmarks).max() < 0.1 * side


def test_a_pin_on_a_lapel_is_no_second_face(loaded: Loaded) -> None:
    [answer] = PhotoDetector(loaded.detector, Limits())(
        [shared_case("fr_obama.jpg").read_bytes()], [], Pick("one", 0.33)
    ).photos
    assert isinstance(answer, Photo)
    assert answer.found == 1


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_photo_gives_the_same_face_turned(loaded: Loaded, sample_photos: Path, turns: int) -> None:
    detect, right, wrong = PhotoDetector(loaded.detector, Limits()), 0, 0
    paths = portraits(sample_photos, each=4)
    for path in paths:
        file = io.BytesIO()
        PIL.Image.open(path).convert("RGB").rotate(90 * turns, expand=True).save(file, "PNG")
        [upright], [lying] = (detect([data], [], PROMINENT).photos for data in (path.read_bytes(), file.getvalue()))
        assert isinstance(upright, Photo)
        assert isinstance(lying, Photo)
        for face in lying.faces:
            back = face.turned(-turns, lying.width, lying.height)
            same = quarter_turns(back.landmarks) == 0 and overlap(back.box, upright.faces[0].box) > 0.6
            right, wrong = right + same, wrong + (not same)
    # A face that is not found is refused, which is no fault; one with wrong landmarks makes false matches.
    assert right >= 0.8 * len(paths)
    assert wrong <= 1


def test_red_and_blue_are_not_confused(loaded: Loaded, sample_photos: Path) -> None:
    photos = [decode(path.read_bytes(), Limits()).pixels for path in portraits(sample_photos, each=3)]
    right = np.mean([max((f.score for f in loaded.detector.detect(photo)), default=0) for photo in photos])
    turned = [np.ascontiguousarray(photo[..., ::-1]) for photo in photos]
    wrong = np.mean([max((f.score for f in loaded.detector.detect(photo)), default=0) for photo in turned])
    assert right > wrong


@pytest.mark.parametrize("size", [(1, 1), (1, 2000), (2000, 1), (2, 3), (12, 12), (33, 31)])
@pytest.mark.parametrize("grey", [0, 255, None], ids=["black", "white", "noise"])
def test_photos_of_any_size_without_a_face_give_none(loaded: Loaded, size: tuple[int, int], grey: int | None) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    if grey is not None:
        pixels[:] = grey
    assert loaded.detector.detect(pixels) == loaded.detector.find(pixels, Pick("largest")) == []


@pytest.mark.parametrize("loaded", ["mediapipe-full-range", "retinaface-mobilenet", "centerface"], indirect=True)
def test_boxes_are_framed_as_mtcnn_frames_them(loaded: Loaded, store: Store, sample_photos: Path) -> None:
    mtcnn = Loaded("mtcnn", load_detector(card("mtcnn"), store, "onnx", Device(), {}))
    photos = portraits(sample_photos, each=2)
    assert np.mean([overlap(loaded.look(path)[0].box, mtcnn.look(path)[0].box) for path in photos]) > 0.75


def test_the_least_score_of_blazeface_is_its_option(store: Store, sample_photos: Path) -> None:
    detector = load_detector(card("mediapipe-full-range"), store, "onnx", Device(), {"min_score": 0.9})
    assert isinstance(detector, BlazeFace)
    scores = [face.score for path in portraits(sample_photos, 5) for face in Loaded("", detector).look(path)]
    detector.close()
    assert 0 < len(scores) < 25
    assert min(scores) >= 0.9


def test_a_file_that_mediapipe_cannot_load_is_named(tmp_path: Path) -> None:
    file = tmp_path / "detector.tflite"
    file.write_bytes(b"no network")
    with pytest.raises(ModelError, match=r"MediaPipe cannot load .*detector\.tflite, export it again"):
        BlazeFace(file)
