"""Networks that come as an ONNX file, whose processing the card describes in [input] and [output]."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from models.card import Card
from models.device import Device
from models.input import Input
from models.onnx_graph import current, with_answer, with_any_batch, with_crops_in, with_crops_side_by_side
from models.onnx_prelu import with_split_prelus
from models.onnx_session import OnnxNetwork


def export(card: Card, folder: Path) -> None:
    """Write the ONNX file: uint8 (n, size, size, 3) RGB for each crop to the answers of the card's task.

    PReLUs are split: on one core that takes fr-liveness from 19.2 to 15.1 ms for two faces, fr-feature from 28.7
    to 17.1 and minifasnet-celeba from 21.9 to 19.2.
    """
    core = with_split_prelus(with_any_batch(current(onnx.load(folder / card.files[0].name))))
    model = with_answer(with_crops_in(core, card.crops[0].size, _input(card)), card)
    if (count := len(card.crops)) > 1:
        model = with_crops_side_by_side(model, card.crops[0].size, count)
    onnx.save(model, folder / card.exports[0])


def original(card: Card, folder: Path, device: Device) -> Callable[..., NDArray[np.float32]]:
    """The file as it came, with its processing outside, one crop at a time."""
    expected = _input(card)
    network = OnnxNetwork(folder / card.files[0].name, device)

    def answer(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        outputs = [network(crop[None]) for crop in expected.prepared(crops)]
        return card.face_task.answer(card.output, [np.concatenate(each) for each in zip(*outputs, strict=True)])

    def answers(*crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        return answer(*crops) if len(crops) == 1 else np.stack([answer(crop) for crop in crops], axis=1)

    return answers


def _input(card: Card) -> Input:
    # The card's own check has seen to it that there is one.
    assert card.input is not None
    return card.input
