"""The cascade finds the same faces as facenet-pytorch with the same settings."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluation.detection import LabelledFace
from imaging.decode import Limits, decode
from imaging.faces import Face
from models.catalogue import card
from models.detection import Detector
from models.device import Device
from models.engines import load_detector
from models.store import Store
from tests.conftest import PROJECT

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
def cascade(store: Store) -> Detector:
    options = {"min_face": 40, "sure": 0.0, "edges": "cut"}
    return load_detector(card("mtcnn"), store, "onnx", Device(), options)


@pytest.fixture(scope="module")
def originals(sample_photos: Path) -> dict[str, list[Face]]:
    """The faces that facenet-pytorch finds, in a process of its own."""
    paths = [str(path) for path in sorted(sample_photos.glob("*/*.jpg"))[::5]]
    paths += [str(path) for path in sorted((PROJECT.parent / "shared" / "faces" / "detection").glob("*.jpg"))[::3]]
    done = subprocess.run(
        [sys.executable, "-c", ORIGINAL, *paths], cwd=PROJECT, capture_output=True, text=True, check=True
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


def test_a_face_at_the_edge_keeps_its_landmarks(store: Store, portrait: NDArray[np.uint8]) -> None:
    """A face cut off at the chin and one cheek is found where it was in the whole photo."""
    detector = load_detector(card("mtcnn"), store, "onnx", Device(), {})
    (whole,) = detector.detect(portrait)
    left, top, right, bottom = (round(edge) for edge in whole.box)
    (cut,) = detector.detect(np.ascontiguousarray(portrait[top - 15 : bottom - 8, left + 8 :]))
    shift = np.array([left + 8, top - 15], np.float32)
    assert np.abs(cut.landmarks + shift - whole.landmarks).max() <= 0.06 * (right - left)
