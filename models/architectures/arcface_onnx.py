"""ArcFace networks that come as an ONNX file (Deng et al., "ArcFace", CVPR 2019)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from models.card import Card
from models.device import Device
from models.onnx_graph import current, with_any_batch, with_crops_in, with_l2_norm
from models.onnx_session import OnnxNetwork

MEAN, SCALE = 127.5, 1 / 127.5


def export(card: Card, folder: Path) -> None:
    """Write the ONNX file: uint8 (n, 112, 112, 3) RGB to float32 (n, size) of length 1."""
    core = with_any_batch(current(onnx.load(folder / card.files[0].name)))
    model = with_l2_norm(with_crops_in(core, card.crops[0].size, MEAN, SCALE, "nchw"), card.output_size or 0)
    onnx.save(model, folder / card.exports[0])


def original(card: Card, folder: Path, device: Device) -> Callable[..., NDArray[np.float32]]:
    """The file as it came, with its processing outside."""
    network = OnnxNetwork(folder / card.files[0].name, device)

    def embed(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        prepared = (crops.transpose(0, 3, 1, 2).astype(np.float32) - MEAN) * np.float32(SCALE)
        raw = np.concatenate([network(crop[None])[0] for crop in prepared])
        return np.asarray(raw / np.linalg.norm(raw, axis=1, keepdims=True), dtype=np.float32)

    return embed
