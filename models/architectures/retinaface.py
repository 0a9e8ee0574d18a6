"""RetinaFace with a quarter-width MobileNet: a score, a box and five landmarks for every anchor.

Deng et al., "RetinaFace: Single-Shot Multi-Level Face Localisation in the Wild", CVPR 2020, without
its dense 3D branch. Backbone: Howard et al., "MobileNets", 2017; pyramid: Lin et al., "Feature
Pyramid Networks", CVPR 2017; context modules: Najibi et al., "SSH", ICCV 2017. `models.detectors.retinaface` decodes
the anchors.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from models.card import Card
from models.onnx_builder import GraphBuilder, folded
from models.weights.torch_file import Weights, read_state

MEAN_RGB = (123.0, 117.0, 104.0)
EPSILON = 1e-5
"""Epsilon of every batch normalisation: PyTorch's default."""
STAGES = {"stage1": 6, "stage2": 6, "stage3": 2}
"""Number of blocks in each stage of the backbone. The first block is a full convolution, all others are separable."""
HALVING = ("stage1.0", "stage1.2", "stage1.4", "stage2.0", "stage3.0")
"""Blocks with stride 2. The stages end at strides 8, 16 and 32."""


def export(card: Card, folder: Path) -> None:
    """Write the ONNX file.

    The network takes photos of any size, uint8 (n, height, width, 3) RGB, and returns float32 scores (n, anchors),
    boxes (n, anchors, 4) and landmarks (n, anchors, 10); see `models.detectors.retinaface.decoded`.
    """
    state = {name.removeprefix("module."): values for name, values in read_state(folder / card.files[0].name).items()}
    # The network was trained on BGR. Flipping its first kernels makes it take RGB.
    first = "body.stage1.0.0.weight"
    network = _RetinaFaceGraph({**state, first: state[first][:, ::-1]})
    onnx.save(network.model(), folder / card.exports[0])


class _RetinaFaceGraph:
    """The graph under construction."""

    def __init__(self, weights: Weights) -> None:
        self._graph, self._weights = GraphBuilder(), weights

    def model(self) -> onnx.ModelProto:
        graph = self._graph
        x = graph.node("Sub", graph.planes("photos"), graph.constant(np.reshape(MEAN_RGB, (3, 1, 1))))
        ends = []
        for stage, blocks in STAGES.items():
            for number in range(blocks):
                x = self._block(x, f"{stage}.{number}")
            ends.append(x)
        levels = [self._context(level, f"ssh{number}") for number, level in enumerate(self._pyramid(*ends), 1)]
        probabilities = graph.node("Softmax", self._heads(levels, "ClassHead", 2), axis=2)
        graph.node("Gather", probabilities, graph.integers(1), name="scores", axis=2)
        self._heads(levels, "BboxHead", 4, name="boxes")
        self._heads(levels, "LandmarkHead", 10, name="landmarks")
        answers = {"scores": ("n", "anchors"), "boxes": ("n", "anchors", 4), "landmarks": ("n", "anchors", 10)}
        return graph.model({"photos": ("n", "height", "width", 3)}, answers, TensorProto.UINT8)

    def _block(self, x: str, block: str) -> str:
        stride = 2 if block in HALVING else 1
        x = self._convolution(x, f"body.{block}", stride=stride)
        return x if block == "stage1.0" else self._convolution(x, f"body.{block}", first=3)

    def _pyramid(self, fine: str, middle: str, coarse: str) -> tuple[str, str, str]:
        """Add the features of the coarser levels to each level."""
        fine, middle, coarse = (
            self._convolution(level, f"fpn.output{number}") for number, level in enumerate((fine, middle, coarse), 1)
        )
        middle = self._convolution(self._sum(middle, coarse), "fpn.merge2")
        fine = self._convolution(self._sum(fine, middle), "fpn.merge1")
        return fine, middle, coarse

    def _sum(self, level: str, coarser: str) -> str:
        shape = self._graph.node("Shape", level)
        as_torch = {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
        return self._graph.node("Add", level, self._graph.node("Resize", coarser, "", "", shape, **as_torch))

    def _context(self, level: str, name: str) -> str:
        """Parallel receptive fields of 3, 5 and 7 pixels, made of 3x3 convolutions."""
        narrow = self._convolution(level, f"{name}.conv3X3", active=False)
        wider = self._convolution(level, f"{name}.conv5X5_1")
        middle = self._convolution(wider, f"{name}.conv5X5_2", active=False)
        wide = self._convolution(self._convolution(wider, f"{name}.conv7X7_2"), f"{name}.conv7x7_3", active=False)
        return self._graph.node("Relu", self._graph.node("Concat", narrow, middle, wide, axis=1))

    def _heads(self, levels: list[str], head: str, values: int, name: str = "") -> str:
        """Add the head for every level, and return its `values` numbers per anchor, (n, anchors, values)."""
        graph, shape = self._graph, self._graph.integers([0, -1, values])
        rows = []
        for number, level in enumerate(levels):
            kernel, bias = (self._weights[f"{head}.{number}.conv1x1.{part}"] for part in ("weight", "bias"))
            cells = graph.node("Transpose", graph.layer(level, kernel, bias), perm=(0, 2, 3, 1))
            rows.append(graph.node("Reshape", cells, shape))
        return graph.node("Concat", *rows, name=name, axis=1)

    def _convolution(self, x: str, name: str, *, first: int = 0, stride: int = 1, active: bool = True) -> str:
        """Add a convolution and its batch normalisation: entries `first` and `first + 1` of PyTorch's `Sequential`."""
        kernel, bias = folded(self._weights[f"{name}.{first}.weight"], self._weights, f"{name}.{first + 1}", EPSILON)
        x = self._graph.convolution(x, kernel, bias, stride=stride, padding=kernel.shape[2] // 2)
        return self._graph.node("Relu", x) if active else x
