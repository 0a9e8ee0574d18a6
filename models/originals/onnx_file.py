"""The original ONNX file of a network."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.architectures.onnx_file import input_of
from models.card import Card
from models.device import Device
from models.onnx_session import OnnxNetwork


def original(card: Card, folder: Path, device: Device) -> Callable[..., NDArray[np.float32]]:
    """Load the original file. It runs on one crop at a time; NumPy prepares the crops."""
    expected = input_of(card)
    network = OnnxNetwork(folder / card.files[0].name, device)

    def answer(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        outputs = [network(crop[None]) for crop in expected.prepared(crops)]
        return card.face_task.answer(card.output, [np.concatenate(each) for each in zip(*outputs, strict=True)])

    def answers(*crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        return answer(*crops) if len(crops) == 1 else np.stack([answer(crop) for crop in crops], axis=1)

    return answers
