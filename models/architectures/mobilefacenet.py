"""MobileFaceNet (Chen et al., "MobileFaceNets", CCBR 2018) as a TensorFlow Lite file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from models.architectures.tflite import interpreter, to_onnx
from models.card import Card
from models.device import Device
from models.input import Input
from models.onnx_graph import with_answer, with_crops_in
from models.onnx_prelu import with_split_prelus

INPUT = Input(mean=127.5, std=128, layout="nhwc", colours="rgb")


def export(card: Card, folder: Path) -> None:
    """Write the ONNX file: uint8 (n, 112, 112, 3) RGB to float32 (n, 192) of length 1."""
    core = with_split_prelus(to_onnx(folder / card.files[0].name))
    onnx.save(with_answer(with_crops_in(core, card.crops[0].size, INPUT), card), folder / card.exports[0])


def original(card: Card, folder: Path, device: Device) -> Callable[..., NDArray[np.float32]]:
    """The network in TensorFlow Lite, which runs on the CPU. Its file takes batches of two only."""
    run = interpreter(folder / card.files[0].name, device.threads)

    def embed(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        rows = [run(np.stack([crop, crop]))[0][0] for crop in INPUT.prepared(crops)]
        return card.face_task.answer(card.output, [np.array(rows, dtype=np.float32).reshape(-1, *card.shape)])

    return embed
