"""MobileFaceNet (Chen et al., "MobileFaceNets", CCBR 2018) as a TensorFlow Lite file."""

from pathlib import Path

import onnx

from models.card import Card
from models.input import Input
from models.onnx_graph import with_answer, with_crops_in
from models.tflite_onnx import to_onnx

INPUT = Input(mean=127.5, std=128, layout="nchw", colours="rgb")


def export(card: Card, folder: Path) -> None:
    """Write the ONNX file: uint8 (n, 112, 112, 3) RGB to float32 (n, 192) of length 1."""
    core = to_onnx(folder / card.files[0].name)
    onnx.save(with_answer(with_crops_in(core, card.crops[0].size, INPUT), card), folder / card.exports[0])
