"""Networks that come as an ONNX file, whose processing the card describes in [input] and [output]."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from models.card import Card, Input
from models.device import Device
from models.onnx_graph import current, with_any_batch, with_crops_in, with_l2_norm, with_live_logit
from models.onnx_prelu import with_split_prelus
from models.onnx_session import OnnxNetwork


def export(card: Card, folder: Path) -> None:
    """Write the ONNX file: uint8 (n, size, size, 3) RGB to embeddings of length 1, or to the live logit (n).

    PReLUs are split: on one core that takes fr-liveness from 19.2 to 15.1 ms for two faces, fr-feature from 28.7
    to 17.1 and minifasnet-celeba from 21.9 to 19.2.
    """
    entry, output = _input(card), card.output
    core = with_split_prelus(with_any_batch(current(onnx.load(folder / card.files[0].name))))
    core = with_crops_in(core, card.crops[0].size, entry.mean, 1 / entry.std, entry.layout, entry.colours)
    model = with_live_logit(core, output.live_class) if output else with_l2_norm(core, card.output_size or 0)
    onnx.save(model, folder / card.exports[0])


def original(card: Card, folder: Path, device: Device) -> Callable[..., NDArray[np.float32]]:
    """The file as it came, with its processing outside, one crop at a time."""
    entry = _input(card)
    network = OnnxNetwork(folder / card.files[0].name, device)

    def answers(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels = crops[..., ::-1] if entry.colours == "bgr" else crops
        prepared = (pixels.astype(np.float32) - np.float32(entry.mean)) / np.float32(entry.std)
        planes = prepared.transpose(0, 3, 1, 2) if entry.layout == "nchw" else prepared
        raw = np.concatenate([network(np.ascontiguousarray(crop[None]))[0] for crop in planes])
        if card.output is None:
            return np.asarray(raw / np.linalg.norm(raw, axis=1, keepdims=True), dtype=np.float32)
        spoofs = np.delete(raw, card.output.live_class, axis=1)
        return np.asarray(raw[:, card.output.live_class] - np.logaddexp.reduce(spoofs, axis=1), dtype=np.float32)

    return answers


def _input(card: Card) -> Input:
    # The card's own check has seen to it that there is one.
    assert card.input is not None
    return card.input
