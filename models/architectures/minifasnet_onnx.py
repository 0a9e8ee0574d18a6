"""A MiniFASNet with two classes, live first, that comes as an ONNX file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from models.card import Card
from models.device import Device
from models.onnx_graph import current, with_any_batch, with_crops_in, with_softmax
from models.onnx_session import OnnxNetwork

LIVE_CLASS = 0
MEAN, SCALE = 0.0, 1 / 255


def export(card: Card, folder: Path) -> None:
    """Write the ONNX file: uint8 (n, 128, 128, 3) RGB to the live probability, float32 (n)."""
    core = with_any_batch(current(onnx.load(folder / card.files[0].name)))
    model = with_softmax(with_crops_in(core, card.crops[0].size, MEAN, SCALE, "nchw"), LIVE_CLASS)
    onnx.save(model, folder / card.exports[0])


def original(card: Card, folder: Path, device: Device) -> Callable[..., NDArray[np.float32]]:
    """The file as it came, with its processing outside."""
    network = OnnxNetwork(folder / card.files[0].name, device)

    def score(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        prepared = crops.transpose(0, 3, 1, 2).astype(np.float32) * np.float32(SCALE)
        # The file takes one crop at a time.
        logits = np.concatenate([network(crop[None])[0] for crop in prepared])
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds[:, LIVE_CLASS] / odds.sum(axis=1), dtype=np.float32)

    return score
