"""Loading a model into the runtime that the configuration chose."""

import importlib
from collections.abc import Callable
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from models.card import Card
from models.detection import Detector
from models.device import Device
from models.errors import ModelError
from models.onnx_session import OnnxNetwork
from models.store import Store

Engine = Literal["onnx", "onnx-float32", "torch", "tensorflow"]
"""``onnx`` runs 8-bit integers on a CPU where the card has them; ``onnx-float32`` never does."""

CropNetwork = Callable[..., NDArray[np.float32]]
"""uint8 (n, size, size, 3) RGB, one array for each crop of the card, to the card's final answer for each
face: float32 (n, output_size) of length 1 from an embedder, float32 (n) live probability from CRMNET."""


def load_network(card: Card, store: Store, engine: Engine, device: Device) -> CropNetwork:
    """An embedder or a liveness network, run once, so that the first request is no slower than others.

    Raises:
        ModelError: the model is not pulled, is damaged, or does not run in `engine`.
    """
    if engine.startswith("onnx"):
        network = _onnx(card, store, device, integers=engine == "onnx" and device.kind == "cpu")
    else:
        network = _original(card, store, engine, device)
    network(*(np.zeros((2, spec.size, spec.size, 3), dtype=np.uint8) for spec in card.crops))
    return network


def load_detector(card: Card, store: Store, engine: Engine, device: Device, options: dict[str, Any]) -> Detector:
    """A detector, run once, as above.

    Args:
        options: keyword arguments of the detector's class in `models.detectors`.

    Raises:
        ModelError: as above, or an option that the detector does not have.
    """
    try:
        detector = _detector(card, store, engine, device, options)
        # Noise, since a detector looks no further at a photo of one colour.
        detector.detect(np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8))
    except TypeError as error:
        raise ModelError(f"the detector {card.name} does not take these options: {error}") from error
    return detector


def _detector(card: Card, store: Store, engine: Engine, device: Device, options: dict[str, Any]) -> Detector:
    paths = store.exports(card)
    match card.architecture:
        case "blazeface":
            from models.detectors.mediapipe import BlazeFace

            if engine != "onnx" or device.kind != "cpu":
                raise ModelError(f"{card.name} runs in MediaPipe on the CPU: leave out its engine and set `gpus: 0`")
            return BlazeFace(paths[0], **options)
        case "mtcnn" | "mtcnn_tensorflow":
            from models.detectors.mtcnn import Mtcnn

            if not engine.startswith("onnx"):
                return Mtcnn(*_original(card, store, engine, device), **options)
            return Mtcnn(*(OnnxNetwork(path, device) for path in paths), **options)
        case "retinaface":
            from models.detectors.retinaface import RetinaFace

            if not engine.startswith("onnx"):
                return RetinaFace(_original(card, store, engine, device), **options)
            network = OnnxNetwork(paths[0], device)
            return RetinaFace(lambda pixels: network(pixels[None]), **options)
    raise ModelError(f"{card.name} is no detector")


def _onnx(card: Card, store: Store, device: Device, integers: bool) -> CropNetwork:
    name = card.int8 if integers and card.int8 else card.exports[0]
    network = OnnxNetwork(next(path for path in store.exports(card) if path.name == name), device)
    return lambda *crops: cast(NDArray[np.float32], network(*crops)[0])


def _original(card: Card, store: Store, engine: Engine, device: Device) -> Any:
    """The network in its original runtime."""
    if card.framework != engine:
        raise ModelError(
            f"{card.name} does not run in {engine}: its engines are onnx, onnx-float32 and {card.framework}"
        )
    architecture = importlib.import_module(f"models.architectures.{card.architecture}")
    return architecture.original(card, store.whole(card), device)
