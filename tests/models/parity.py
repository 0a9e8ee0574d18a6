"""Exports against their original runtime, in a process of its own: `python -m tests.models.parity CARD FOLDER ...`.

Prints the largest difference of any number in each card's answers for real photos. The original runtime is called
from several threads at once, as a replica's workers call it: an answer that went to another thread differs.
"""

import importlib
import itertools
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from imaging.area import AreaSampler
from imaging.decode import Limits, decode
from models.card import Card
from models.catalogue import card
from models.detection import Detector, PhotoDetector
from models.device import Device
from models.engines import load_detector
from models.onnx_session import OnnxNetwork
from models.store import DEFAULT_STORE, Store
from tests import photos

DEVICE = Device(threads=2)


def side_by_side(network: Callable[..., Any], *arguments: Iterable[Any]) -> list[Any]:
    """As `map` calls it, from several threads at once."""
    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(network, *arguments))


@cache
def sample() -> list[bytes]:
    """Two real photos of each person."""
    people = (sorted((photos.FOLDER / person).glob("*.jpg"))[:2] for person in photos.PEOPLE)
    return [path.read_bytes() for path in itertools.chain.from_iterable(people)]


@cache
def detector() -> Detector:
    return load_detector(card("mtcnn"), Store(DEFAULT_STORE), "onnx", DEVICE, {})


def difference(entry: Card, folder: Path) -> float:
    """Of the answers that `entry`'s exports and its original runtime give, both read from `folder`."""
    architecture = importlib.import_module(f"models.architectures.{entry.architecture}")
    match entry.architecture:
        case "blazeface":
            return _tflite_difference(entry, folder)
        case "centerface":
            return _tile_difference(architecture.original(entry, folder, DEVICE), entry, folder)
        case "mtcnn" | "mtcnn_tensorflow":
            return _cascade_difference(architecture.original(entry, folder, DEVICE), entry, folder)
        case "retinaface":
            return _photo_difference(architecture.original(entry, folder, DEVICE), entry, folder)
    found = PhotoDetector(detector(), Limits())(sample(), entry.crops)
    crops = [found.crops[spec] for spec in entry.crops]
    assert len(crops[0]) >= 10
    original = architecture.original(entry, folder, DEVICE)
    expected = np.concatenate(side_by_side(original, *(np.split(crop, len(crop)) for crop in crops)))
    (given,) = OnnxNetwork(folder / entry.exports[0], DEVICE)(*crops)
    # Logits are compared in shares of the largest.
    scale = np.abs(expected).max() if entry.task == "liveness" else 1
    return _largest(expected / scale, given / scale)


def _cascade_difference(originals, entry: Card, folder: Path) -> float:  # type: ignore[no-untyped-def]
    samplers = [AreaSampler(decode(data, Limits()).pixels) for data in sample()]
    worst = 0.0
    for network, name, side in zip(originals, entry.exports, (None, 24, 48), strict=True):
        export = OnnxNetwork(folder / name, DEVICE)
        windows = [_windows(sampler, side) for sampler in samplers]
        for expected, given in zip(side_by_side(network, windows), map(export, windows), strict=True):
            worst = max(worst, *map(_largest, expected, given))
    return worst


def _windows(sampler: AreaSampler, side: int | None) -> np.ndarray:
    """Two windows of `side` pixels; without one the whole photo at a third of its size."""
    width, height = sampler.size
    whole = np.array([[0, 0, width, height], [width // 4, 0, width, height // 2]])
    return sampler.windows(whole, side) if side else sampler.whole(width // 3, height // 3)


def _photo_difference(original, entry: Card, folder: Path) -> float:  # type: ignore[no-untyped-def]
    """RetinaFace: boxes and landmarks are compared in shares of the photo's longer side."""
    export, worst = OnnxNetwork(folder / entry.exports[0], DEVICE), 0.0
    photos = [decode(data, Limits()).pixels for data in sample()]
    for pixels, outputs in zip(photos, side_by_side(original, photos), strict=True):
        for expected, given in zip(outputs, export(pixels[None]), strict=True):
            scale = 1 if expected.ndim == 1 else max(pixels.shape)
            worst = max(worst, _largest(expected / scale, given / scale))
    return worst


def _tile_difference(original, entry: Card, folder: Path) -> float:  # type: ignore[no-untyped-def]
    """CenterFace: its file takes ten tiles of 32x32 pixels."""
    export, worst = OnnxNetwork(folder / entry.exports[0], DEVICE), 0.0
    tiles = [_tiles(decode(data, Limits()).pixels) for data in sample()]
    for expected, given in zip(side_by_side(original, tiles), map(export, tiles), strict=True):
        worst = max(worst, *map(_largest, expected, given))
    return worst


def _tiles(pixels: np.ndarray) -> np.ndarray:
    tiles = np.asarray(cv2.resize(pixels, (160, 64)), np.uint8).reshape(2, 32, 5, 32, 3)
    return tiles.swapaxes(1, 2).reshape(10, 32, 32, 3)


def _tflite_difference(entry: Card, folder: Path) -> float:
    """BlazeFace: its export is its file with metadata, and both run in TensorFlow Lite."""
    from models.architectures.tflite import interpreter

    raw, exported = (interpreter(folder / name, 1) for name in (entry.files[0].name, entry.exports[0]))
    side, worst = 192 if "full" in entry.name else 128, 0.0
    samplers = [AreaSampler(decode(data, Limits()).pixels) for data in sample()]
    batches = [sampler.whole(side, side) / np.float32(127.5) - np.float32(1) for sampler in samplers]
    for expected, given in zip(side_by_side(raw, batches), map(exported, batches), strict=True):
        worst = max(worst, *map(_largest, expected, given))
    return worst


def _largest(expected: np.ndarray, given: np.ndarray) -> float:
    assert expected.shape == given.shape
    assert expected.size
    return float(np.abs(expected - given).max())


if __name__ == "__main__":
    for name, folder in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        print("difference", name, difference(card(name), Path(folder)))
