"""MTCNN's three networks, with the weights of facenet-pytorch.

Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks",
IEEE Signal Processing Letters 2016. The cascade around them is `models.detectors.mtcnn`.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto

from models.card import Card
from models.onnx_builder import GraphBuilder, Shape, scaled_input
from models.weights.torch_file import read_state

CascadeArrays = Sequence[NDArray[np.float32]]
"""The weights of one network in PyTorch's layout: kernel, bias and PReLU slopes of each hidden layer, then kernel and
bias of each output. The outputs are the classes (no face, face), the regression and, in ONet, the landmarks."""

SIDES = (None, 24, 48)
"""Sides of the windows of PNet, RNet and ONet, in pixels. None: any from 12."""
POOLS = ((2,), (3, 3), (3, 3, 2))
"""Sides of the max poolings after the first convolutions. The stride of every pooling is 2."""
OUTPUTS = (2, 2, 3)
"""Number of outputs of each network."""
MEAN, STD = 127.5, 128.0


def export(card: Card, folder: Path) -> None:
    """Write the three ONNX files."""
    export_cascade([list(read_state(folder / file.name).values()) for file in card.files], card, folder)


def export_cascade(networks: Sequence[CascadeArrays], card: Card, folder: Path) -> None:
    """Write PNet, RNet and ONet as the ONNX files of `card`.

    The networks take windows, float32 (n, height, width, 3) RGB, 0 to 255, and return the probability of a face
    (n, ...), the box regression (n, 4, ...) and, from ONet, the landmarks (n, 10). Windows are not uint8, because the
    cascade scales them down: with rounded samples, the IoU with the original's boxes was only 0.86.
    """
    for name, arrays, side, pools, outputs in zip(card.exports, networks, SIDES, POOLS, OUTPUTS, strict=True):
        onnx.save(_network(arrays, side, pools, outputs), folder / name)


def _network(arrays: CascadeArrays, side: int | None, pools: Sequence[int], outputs: int) -> ModelProto:
    hidden, ends = arrays[: -2 * outputs], arrays[-2 * outputs :]
    graph = GraphBuilder()
    x = graph.node("Transpose", "windows", perm=(0, 3, 1, 2))
    for number, (kernel, bias, slopes) in enumerate(zip(hidden[::3], hidden[1::3], hidden[2::3], strict=True)):
        if number == 0:
            kernel, bias = scaled_input(kernel, bias, MEAN, STD)
        if kernel.ndim == 2:
            # The weights come from Caffe's Matlab interface, which has columns before rows.
            x = graph.node("Flatten", graph.node("Transpose", x, perm=(0, 3, 2, 1)))
        x = graph.prelu(graph.layer(x, kernel, bias), slopes, planes=kernel.ndim == 4)
        if number < len(pools):
            x = graph.node("MaxPool", x, kernel_shape=(pools[number],) * 2, strides=(2, 2), ceil_mode=1)
    (classes, offsets), *others = zip(ends[::2], ends[1::2], strict=True)
    # The softmax of two classes is the sigmoid of their difference, which takes a tenth of the time.
    face = graph.node("Sigmoid", graph.layer(x, classes[1:] - classes[:1], offsets[1:] - offsets[:1]))
    graph.node("Squeeze", face, graph.integers([1]), name="face")
    for name, (kernel, bias) in zip(("regression", "landmarks"), others, strict=False):
        graph.layer(x, kernel, bias, name=name)
    cells = ["rows", "columns"] if side is None else []
    shapes: dict[str, Shape] = {"face": ["n", *cells], "regression": ["n", 4, *cells]}
    if outputs == 3:
        shapes["landmarks"] = ["n", 10]
    return graph.model({"windows": ("n", side or "height", side or "width", 3)}, shapes)
