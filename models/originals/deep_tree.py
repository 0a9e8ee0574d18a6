"""The deep tree network in TensorFlow Lite, which runs on the CPU."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.architectures.deep_tree import INPUT
from models.card import Card
from models.device import Device
from models.onnx_graph import MIN_SPOOF
from models.originals.tflite import interpreter


def original(card: Card, folder: Path, device: Device) -> Callable[..., NDArray[np.float32]]:
    """The network in TensorFlow Lite, with the input and output of the export."""
    run = interpreter(folder / card.files[0].name, device.threads)

    def logits(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        outputs = [run(crop[None]) for crop in INPUT.prepared(crops).transpose(0, 2, 3, 1)]
        spoof = np.array([np.abs(leaves * route).sum() for leaves, route in outputs], dtype=np.float32)
        spoof = np.clip(spoof, MIN_SPOOF, 1 - MIN_SPOOF)
        return np.asarray(np.log((1 - spoof) / spoof), dtype=np.float32)

    return logits
