"""Inception-ResNet v1 as an embedder, with the weights of facenet-pytorch.

Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning",
AAAI 2017, trained as a FaceNet (Schroff et al., CVPR 2015).
"""

from itertools import count, takewhile
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto

from models.card import Card
from models.onnx_builder import GraphBuilder, folded, scaled_input
from models.onnx_graph import with_answer
from models.weights.torch_file import Weights, read_state

SIZE = 160
"""Side of the crops, in pixels."""
MEAN, STD = 127.5, 128.0
EPSILON = 1e-3
"""Epsilon of every batch normalisation."""
SCALES = {"repeat_1": 0.17, "repeat_2": 0.1, "repeat_3": 0.2}
"""Factor of the residuals in each stage of residual blocks."""


def export(card: Card, folder: Path) -> None:
    """Write the ONNX file: uint8 (n, 160, 160, 3) RGB to float32 (n, size) of length 1."""
    network = inception_resnet(read_state(folder / card.files[0].name), card, standardised=False)
    onnx.save(network, folder / card.exports[0])


def inception_resnet(weights: Weights, card: Card, *, standardised: bool) -> ModelProto:
    """Build the exported network.

    Args:
        weights: by the names in facenet-pytorch's state dict. A batch normalisation without a weight has the weight 1.
        standardised: scale each crop by its own mean and standard deviation, like David Sandberg's FaceNet and its
            Keras ports. If not, compute (x - 127.5) / 128, like facenet-pytorch.
    """
    network = _InceptionGraph(weights)
    x = network.standardised_crops() if standardised else network.crops()
    x = network.convolution(x, "conv2d_1a", stride=2, padded=False, scaled=not standardised)
    x = network.convolution(x, "conv2d_2a", padded=False)
    x = network.convolution(x, "conv2d_2b")
    x = network.pooled(x)
    x = network.convolution(x, "conv2d_3b")
    x = network.convolution(x, "conv2d_4a", padded=False)
    x = network.convolution(x, "conv2d_4b", stride=2, padded=False)
    x = network.residuals(x, "repeat_1")
    x = network.reduction(x, "mixed_6a")
    x = network.residuals(x, "repeat_2")
    x = network.reduction(x, "mixed_7a")
    x = network.residuals(x, "repeat_3")
    # The last block neither scales its residual nor has a ReLU.
    x = network.sum_with_residual(x, "block8", scale=1)
    return with_answer(network.finished(x, *card.shape), card)


class _InceptionGraph:
    """The graph under construction. Its layers are named after their weights."""

    def __init__(self, weights: Weights) -> None:
        self._graph = GraphBuilder()
        self._weights = weights

    def crops(self) -> str:
        return self._graph.planes("crops")

    def standardised_crops(self) -> str:
        graph, planes = self._graph, self.crops()
        axes = graph.integers([1, 2, 3])
        centred = graph.node("Sub", planes, graph.node("ReduceMean", planes, axes))
        deviation = graph.node("Sqrt", graph.node("ReduceMean", graph.node("Mul", centred, centred), axes))
        # The minimum avoids a division by zero for a crop of one colour.
        least = graph.constant((3 * SIZE * SIZE) ** -0.5)
        return graph.node("Div", centred, graph.node("Max", deviation, least))

    def convolution(self, x: str, name: str, *, stride: int = 1, padded: bool = True, scaled: bool = False) -> str:
        kernel, bias = folded(self._weights[f"{name}.conv.weight"], self._weights, f"{name}.bn", EPSILON)
        if scaled:
            kernel, bias = scaled_input(kernel, bias, MEAN, STD)
        rows, columns = (side // 2 if padded else 0 for side in kernel.shape[2:])
        padding = (rows, columns, rows, columns)
        planes = self._graph.convolution(x, kernel, bias, stride=stride, padding=padding, name=name)
        return self._graph.node("Relu", planes, name=f"{name}.relu")

    def pooled(self, x: str) -> str:
        return self._graph.node("MaxPool", x, kernel_shape=(3, 3), strides=(2, 2))

    def residuals(self, x: str, stage: str) -> str:
        blocks = {name.split(".")[1] for name in self._weights if name.startswith(f"{stage}.")}
        for number in range(len(blocks)):
            block = f"{stage}.{number}"
            x = self._graph.node("Relu", self.sum_with_residual(x, block, SCALES[stage]), name=f"{block}.relu")
        return x

    def sum_with_residual(self, x: str, block: str, scale: float) -> str:
        joined = self._graph.node("Concat", *self._branches(x, block), name=f"{block}.concat", axis=1)
        # Scaling the weights instead of the residual saves a pass over the data.
        kernel, bias = (np.float32(scale) * self._weights[f"{block}.conv2d.{part}"] for part in ("weight", "bias"))
        return self._graph.node("Add", x, self._graph.layer(joined, kernel, bias, name=f"{block}.conv2d"))

    def reduction(self, x: str, block: str) -> str:
        """Halve the grid: the last convolution of each branch has stride 2, and one branch is a max pooling."""
        return self._graph.node(
            "Concat", *self._branches(x, block, halve=True), self.pooled(x), name=f"{block}.concat", axis=1
        )

    def _branches(self, x: str, block: str, halve: bool = False) -> list[str]:
        ends = []
        for chain in takewhile(bool, (self._chain(f"{block}.branch{number}") for number in count())):
            end = x
            for name in chain:
                last = halve and name == chain[-1]
                end = self.convolution(end, name, stride=2 if last else 1, padded=not last)
            ends.append(end)
        return ends

    def _chain(self, branch: str) -> list[str]:
        """The convolutions of a branch. facenet-pytorch numbers them, unless there is only one."""
        if f"{branch}.conv.weight" in self._weights:
            return [branch]
        numbered = (f"{branch}.{number}" for number in count())
        return list(takewhile(lambda name: f"{name}.conv.weight" in self._weights, numbered))

    def finished(self, x: str, size: int) -> ModelProto:
        flat = self._graph.node("Flatten", self._graph.node("GlobalAveragePool", x))
        kernel, bias = folded(self._weights["last_linear.weight"], self._weights, "last_bn", EPSILON)
        self._graph.layer(flat, kernel, bias, name="raw")
        return self._graph.model({"crops": ("n", SIZE, SIZE, 3)}, {"raw": ("n", size)}, TensorProto.UINT8)
