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
from models.onnx_graph import with_crops_in, with_leaf_scores
from models.onnx_tree import with_taken_branches

MEAN, SCALE = 0.0, 1 / 255


def export(card: Card, folder: Path) -> None:
    """Write the ONNX file: uint8 (n, 256, 256, 3) RGB to the live probability, float32 (n)."""
    core = to_onnx(folder / card.files[0].name)
    tree = with_taken_branches(with_crops_in(core, card.crops[0].size, MEAN, SCALE, "nhwc"))
    onnx.save(with_leaf_scores(tree), folder / card.exports[0])


def original(card: Card, folder: Path, device: Device) -> Callable[..., NDArray[np.float32]]:
    """The network in TensorFlow Lite, which runs on the CPU."""
    run = interpreter(folder / card.files[0].name, device.threads)

    def score(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        live = []
        for crop in crops:
            leaves, route = run(crop[None].astype(np.float32) * SCALE)
            live.append(1 - float(np.abs(leaves * route).sum()))
        return np.clip(np.array(live, dtype=np.float32), 0, 1)

    return score
