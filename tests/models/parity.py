"""Compare exports with their original runtime: `python -m tests.models.parity CARD FOLDER ...`.

For each card, this prints the largest difference between the answers for real photos. The original runtime is called
from several threads at once, as a replica's workers do, so that answers returned to the wrong thread show up.
"""

import importlib
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from imaging.area import AreaSampler
from imaging.decode import Limits, decode
from imaging.faces import Pixels
from models.card import Card
from models.catalogue import card
from models.detection import Detector, PhotoDetector
from models.device import Device
from models.engines import load_detector
from models.onnx_session import OnnxNetwork
from models.store import DEFAULT_STORE, Store
from tests import photos
from tests.models.conftest import portraits

DEVICE = Device(threads=2)
Runtime = Callable[..., Any]


@cache
def sample() -> list[bytes]:
    """Two real photos of each person."""
    return [path.read_bytes() for path in portraits(photos.FOLDER, each=2)]


def pixels() -> list[Pixels]:
    return [decode(data, Limits()).pixels for data in sample()]


@cache
def detector() -> Detector:
    return load_detector(card("mtcnn"), Store(DEFAULT_STORE), "onnx", DEVICE, {})


def difference(entry: Card, folder: Path) -> float:
    """The largest difference between the answers of the exports and of the original runtime, both from `folder`."""
    if entry.architecture == "blazeface":
        return _tflite_difference(entry, folder)
    runtime = importlib.import_module(f"models.originals.{entry.architecture}")
    original = runtime.original(entry, folder, DEVICE)
    exports = [OnnxNetwork(folder / name, DEVICE) for name in entry.exports]
    match entry.architecture:
        case "mtcnn" | "mtcnn_tensorflow":
            samplers = [AreaSampler(photo) for photo in pixels()]
            return max(
                _largest(network, export, [(_windows(sampler, side),) for sampler in samplers])
                for network, export, side in zip(original, exports, (None, 24, 48), strict=True)
            )
        case "centerface":
            return _largest(original[0], exports[0], [(_tiles(photo),) for photo in pixels()])
        case "retinaface":
            return _largest(original[0], exports[0], [(photo[None],) for photo in pixels()])
    found = PhotoDetector(detector(), Limits())(sample(), entry.crops)
    crops = [found.crops[spec] for spec in entry.crops]
    assert len(crops[0]) >= 10
    (given,) = exports[0](*crops)
    answers = iter(np.split(given, len(given)))
    # Differences of logits are relative to the largest.
    scale = float(np.abs(given).max()) if entry.task == "liveness" else 1
    faces = list(zip(*(np.split(crop, len(crop)) for crop in crops), strict=True))
    return _largest(lambda *face: [original(*face)], lambda *face: [next(answers)], faces, (scale,))


def _largest(original: Runtime, export: Runtime, inputs: list[Any], scales: Sequence[float] = (1,) * 4) -> float:
    """The largest difference of any output for these inputs, relative to the output's scale."""
    with ThreadPoolExecutor(8) as threads:
        expected = list(threads.map(lambda arrays: original(*arrays), inputs))
    differences = []
    for arrays, outputs in zip(inputs, expected, strict=True):
        given = export(*arrays)
        assert len(outputs) == len(given)
        for one, other, scale in zip(outputs, given, scales, strict=False):
            assert one.shape == other.shape
            assert one.size
            differences.append(np.abs(one - other).max() / scale)
    return float(max(differences))


def _windows(sampler: AreaSampler, side: int | None) -> np.ndarray:
    """Two windows of `side` pixels, or the whole photo at a third of its size if `side` is None."""
    width, height = sampler.size
    whole = np.array([[0, 0, width, height], [width // 4, 0, width, height // 2]])
    return sampler.windows(whole, side) if side else sampler.whole(width // 3, height // 3)


def _tiles(photo: Pixels) -> Pixels:
    """CenterFace's file takes ten tiles of 32x32 pixels."""
    tiles = np.asarray(cv2.resize(photo, (160, 64)), np.uint8).reshape(2, 32, 5, 32, 3)
    return tiles.swapaxes(1, 2).reshape(10, 32, 32, 3)


def _tflite_difference(entry: Card, folder: Path) -> float:
    """Compare BlazeFace's file with its export, which only adds metadata, in TensorFlow Lite."""
    from models.originals.tflite import interpreter

    raw, exported = (interpreter(folder / name, 1) for name in (entry.files[0].name, entry.exports[0]))
    side = 192 if "full" in entry.name else 128
    batches = [AreaSampler(photo).whole(side, side) / np.float32(127.5) - np.float32(1) for photo in pixels()]
    return _largest(raw, exported, [(batch,) for batch in batches])


if __name__ == "__main__":
    for name, folder in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        print("difference", name, difference(card(name), Path(folder)))
