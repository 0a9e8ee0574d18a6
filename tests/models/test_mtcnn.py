"""The cascade finds the same faces as facenet-pytorch, and searches small windows only if the pick needs them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from evaluation.detection import LabelledFace
from imaging.decode import Limits, decode
from imaging.faces import Face, Pixels
from imaging.pick import Pick
from models.catalogue import card
from models.detection import Detector
from models.detectors.mtcnn import CELL, CascadeNetwork, Mtcnn
from models.device import Device
from models.engines import load_detector
from models.onnx_session import OnnxNetwork
from models.store import Store
from project.root import ROOT

MIN_FACE, FACTOR = 40, 0.709
SIDE = 800
"""Side of the photos. Windows of at least a sixth of it, 133 pixels, are searched first."""
FIRST = SIDE / 6
LARGEST, PROMINENT, ONE_IN_THREE = Pick("largest"), Pick("prominent"), Pick("one", 0.33)

ORIGINAL = """
import json, sys
import torch
from facenet_pytorch import MTCNN
from imaging.decode import Limits, decode
torch.set_num_threads(1)
mtcnn = MTCNN(keep_all=True, select_largest=False, min_face_size=40)
found = {}
for path in sys.argv[1:]:
    boxes, scores, landmarks = mtcnn.detect(decode(open(path, "rb").read(), Limits()).pixels.copy(), landmarks=True)
    faces = zip(boxes, scores, landmarks) if boxes is not None else []
    found[path] = [[list(map(float, b)), float(s), [list(map(float, p)) for p in l]] for b, s, l in faces]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def portrait(sample_photos: Path) -> Pixels:
    """A sample photo that is almost filled by a face."""
    [path] = (sample_photos / "mindy_kaling").glob("*MindyKalingLkvEhTwDeJmjpg.jpg")
    return decode(path.read_bytes(), Limits()).pixels


@pytest.fixture(scope="module")
def cascade(store: Store) -> Detector:
    options = {"min_face": 40, "sure": 0.0, "edges": "cut"}
    return load_detector(card("mtcnn"), store, "onnx", Device(), options)


@pytest.fixture(scope="module")
def originals(sample_photos: Path) -> dict[str, list[Face]]:
    """The faces that facenet-pytorch finds, in a process of its own."""
    paths = [str(path) for path in sorted(sample_photos.glob("*/*.jpg"))[::5]]
    paths += [str(path) for path in sorted((ROOT.parent / "shared" / "faces" / "detection").glob("*.jpg"))[::3]]
    done = subprocess.run(
        [sys.executable, "-c", ORIGINAL, *paths], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    return {path: [Face(tuple(b), s, np.array(p, np.float32)) for b, s, p in faces] for path, faces in found.items()}


def test_finds_the_same_boxes_and_landmarks(cascade: Detector, originals: dict[str, list[Face]]) -> None:
    overlaps, shifts = [], []
    for path, expected in originals.items():
        found = cascade.detect(decode(Path(path).read_bytes(), Limits()).pixels)
        assert len(found) == len(expected), path
        for face in expected:
            if face.score > 0.9:
                fits = [LabelledFace(face.box, {}).fit(other.box) for other in found]
                twin, side = found[int(np.argmax(fits))], max(np.subtract(face.box[2:], face.box[:2]))
                overlaps.append(max(fits))
                assert abs(twin.score - face.score) <= 0.02, path
                shifts.append(np.abs(twin.landmarks - face.landmarks).max() / side)
    assert len(shifts) >= 20
    # Rounding decides whether a window at the threshold passes, and so from which window a face comes.
    assert np.quantile(overlaps, 0.05) >= 0.95
    assert min(overlaps) >= 0.93
    assert np.quantile(shifts, 0.95) <= 0.02
    assert max(shifts) <= 0.03


def test_a_face_at_the_edge_keeps_its_landmarks(store: Store, portrait: Pixels) -> None:
    """A face cut off at the chin and one cheek is found where it was in the whole photo."""
    detector = load_detector(card("mtcnn"), store, "onnx", Device(), {})
    (whole,) = detector.detect(portrait)
    left, top, right, bottom = (round(edge) for edge in whole.box)
    (cut,) = detector.detect(np.ascontiguousarray(portrait[top - 15 : bottom - 8, left + 8 :]))
    shift = np.array([left + 8, top - 15], np.float32)
    assert np.abs(cut.landmarks + shift - whole.landmarks).max() <= 0.06 * (right - left)


class WatchedMtcnn(Mtcnn):
    """Records the sides of the windows that it searched in the last photo, in pixels."""

    def __init__(self, networks: list[OnnxNetwork], sure: float = 0.9) -> None:
        self.windows: list[int] = []
        self.shown: list[bytes] = []

        def watched(network: OnnxNetwork) -> CascadeNetwork:
            def look(windows: Any) -> Any:
                self.shown.extend(window.tobytes() for window in windows)
                if network is networks[0]:
                    self.windows.append(round(CELL * SIDE / (windows.shape[1] - 1)))
                return network(windows)

            return look

        super().__init__(*map(watched, networks), min_face=MIN_FACE, factor=FACTOR, sure=sure)

    def find(self, pixels: Pixels, pick: Pick) -> list[Face]:
        """The faces that count. Checks that no network looks at a window twice."""
        self.windows.clear()
        self.shown.clear()
        found = super().find(pixels, pick)
        assert len(self.shown) == len(set(self.shown))
        return found


@pytest.fixture(scope="module")
def networks(store: Store) -> list[OnnxNetwork]:
    return [OnnxNetwork(path, Device()) for path in store.exports(card("mtcnn"))]


@pytest.fixture
def watched(networks: list[OnnxNetwork]) -> WatchedMtcnn:
    return WatchedMtcnn(networks)


@pytest.fixture(scope="module")
def square(portrait: Pixels) -> Pixels:
    """A square photo that is almost filled by a face."""
    side = min(portrait.shape[:2])
    return portrait[:side, :side]


def pasted(square: Pixels, *places: tuple[int, int, int]) -> Pixels:
    """A grey photo with the square photo pasted in at each (x, y, side)."""
    pixels = np.full((SIDE, SIDE, 3), 128, np.uint8)
    for x, y, side in places:
        pixels[y : y + side, x : x + side] = cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA)
    return pixels


@pytest.mark.parametrize(
    ("pick", "places", "least", "most"),
    [
        (LARGEST, [(0, 0, 600)], FIRST, SIDE),
        (LARGEST, [(0, 0, 800)], FIRST, SIDE),
        (LARGEST, [(0, 0, 180), (200, 200, 600)], FIRST, SIDE),
        (LARGEST, [(300, 300, 150)], MIN_FACE, MIN_FACE),
        (PROMINENT, [(100, 100, 600)], 2 * MIN_FACE + 1, SIDE),
        # A smaller face in the middle could be more prominent than one at the edge.
        (PROMINENT, [(0, 0, 330)], MIN_FACE, MIN_FACE),
        (PROMINENT, [(0, 0, 300), (320, 320, 160)], MIN_FACE, MIN_FACE),
        (ONE_IN_THREE, [(0, 0, 500), (550, 550, 240)], MIN_FACE + 1, FIRST),
        (Pick("one"), [(0, 0, 600)], MIN_FACE, MIN_FACE),
    ],
)
def test_no_smaller_windows_are_searched_than_the_pick_needs(
    watched: WatchedMtcnn, square: Pixels, pick: Pick, places: list[tuple[int, int, int]], least: float, most: float
) -> None:
    photo = pasted(square, *places)
    found = watched.find(photo, pick)
    assert least <= min(watched.windows) <= most
    counted = pick.of(watched.detect(photo), SIDE, SIDE, watched.rival_score)
    assert [face.box for face in found] == [face.box for face in counted] != []


@pytest.mark.parametrize(("pick", "share"), [(LARGEST, 1 / 2), (ONE_IN_THREE, 0.33)])
def test_the_smallest_windows_are_those_that_a_rival_needs(
    watched: WatchedMtcnn, square: Pixels, pick: Pick, share: float
) -> None:
    [face] = watched.find(pasted(square, (50, 50, 400)), pick)
    assert FACTOR * share * face.side < min(watched.windows) <= share * face.side


def test_an_uncertain_face_is_compared_with_all_others(networks: list[OnnxNetwork], square: Pixels) -> None:
    doubting = WatchedMtcnn(networks, sure=1.0)
    assert doubting.find(pasted(square, (0, 0, 600)), LARGEST)
    assert min(doubting.windows) == MIN_FACE
