"""A deep tree network for face anti-spoofing as a TensorFlow Lite file.

Liu et al., "Deep Tree Learning for Zero-shot Face Anti-Spoofing", CVPR 2019: each photo takes one
route through a tree of convolutions and is scored by the leaf it ends in.
"""

from pathlib import Path

import onnx

from models.card import Card
from models.input import Input
from models.onnx_graph import with_crops_in, with_leaf_logit
from models.tflite_onnx import to_onnx

INPUT = Input(mean=0.0, std=255.0, layout="nchw", colours="rgb")


def export(card: Card, folder: Path) -> None:
    """Write the ONNX file: uint8 (n, 256, 256, 3) RGB to the live logit, float32 (n)."""
    core = to_onnx(folder / card.files[0].name)
    onnx.save(with_leaf_logit(with_crops_in(core, card.crops[0].size, INPUT)), folder / card.exports[0])
