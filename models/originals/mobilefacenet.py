"""MobileFaceNet in TensorFlow Lite, which runs on the CPU."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.architectures.mobilefacenet import INPUT
from models.card import Card
from models.device import Device
from models.originals.tflite import interpreter


def original(card: Card, folder: Path, device: Device) -> Callable[..., NDArray[np.float32]]:
    """The network in TensorFlow Lite, with the input and output of the export. The file only takes batches of two."""
    run = interpreter(folder / card.files[0].name, device.threads)

    def embed(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        rows = [run(np.stack([crop, crop]))[0][0] for crop in INPUT.prepared(crops).transpose(0, 2, 3, 1)]
        return card.face_task.answer(card.output, [np.array(rows, dtype=np.float32).reshape(-1, *card.shape)])

    return embed
