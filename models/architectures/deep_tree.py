"""A deep tree network for face anti-spoofing as a TensorFlow Lite file.

Liu et al., "Deep Tree Learning for Zero-shot Face Anti-Spoofing", CVPR 2019: each photo takes one
route through a tree of convolutions and is scored by the leaf it ends in.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from models.architectures.tflite import interpreter, to_onnx
from models.card import Card
from models.device import Device
from models.input import Input
from models.onnx_graph import LEAST_SPOOF, with_crops_in, with_leaf_logit

INPUT = Input(mean=0.0, std=255.0, layout="nhwc", colours="rgb")


def export(card: Card, folder: Path) -> None:
    """Write the ONNX file: uint8 (n, 256, 256, 3) RGB to the live logit, float32 (n)."""
    core = to_onnx(folder / card.files[0].name)
    model = with_leaf_logit(with_crops_in(core, card.crops[0].size, INPUT))
    onnx.save(model, folder / card.exports[0])


def original(card: Card, folder: Path, device: Device) -> Callable[..., NDArray[np.float32]]:
    """The network in TensorFlow Lite, which runs on the CPU."""
    run = interpreter(folder / card.files[0].name, device.threads)

    def logits(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        outputs = [run(crop[None]) for crop in INPUT.prepared(crops)]
        spoof = np.array([np.abs(leaves * route).sum() for leaves, route in outputs], dtype=np.float32)
        spoof = np.clip(spoof, LEAST_SPOOF, 1 - LEAST_SPOOF)
        return np.asarray(np.log((1 - spoof) / spoof), dtype=np.float32)

    return logits
