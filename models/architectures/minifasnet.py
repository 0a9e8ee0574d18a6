"""MiniFASNet: liveness from two crops of a face at different scales.

Minivision, "Silent-Face-Anti-Spoofing" (2020): a pruned MobileFaceNet (Chen et al., "MobileFaceNets", CCBR 2018). V1SE
has squeeze-and-excitation (Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018) in the last block of each stage.
The Fourier spectrum, a second training target, is not used at run time.
"""

from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import TensorProto

from models.card import Card
from models.onnx_builder import GraphBuilder, folded
from models.weights.torch_file import Weights, read_state

LIVE, SPOOFS = 1, (0, 2)
"""Indices of the three classes."""
EPSILON = 1e-5
"""Epsilon of every batch normalisation: PyTorch's default."""


def export(card: Card, folder: Path) -> None:
    """Write the ONNX file: crops_0 and crops_1, uint8 (n, 80, 80, 3) RGB, to the live logit, float32 (n).

    The logit is log(p / (1 - p)) for the mean p of both networks' live probabilities. It is computed from their
    logarithms, which do not saturate.
    """
    graph = GraphBuilder()
    crops = [f"crops_{number}" for number in range(len(card.files))]
    networks = [_MiniFasNet(graph, _renamed(read_state(folder / file.name))) for file in card.files]
    logarithms = [
        graph.node("LogSoftmax", network.classes(crop), axis=1) for network, crop in zip(networks, crops, strict=True)
    ]
    live, spoof = (
        graph.node(
            "ReduceLogSumExp",
            graph.node("Concat", *(_chosen(graph, each, classes) for each in logarithms), axis=1),
            graph.integers([1]),
            keepdims=0,
        )
        for classes in ([LIVE], SPOOFS)
    )
    graph.node("Sub", live, spoof, name="logit")
    size = card.crops[0].size
    model = graph.model(dict.fromkeys(crops, ("n", size, size, 3)), {"logit": ("n",)}, TensorProto.UINT8)
    onnx.save(model, folder / card.exports[0])


def _renamed(state: Weights) -> Weights:
    # DataParallel added the prefix, and a wrapper around the blocks of each stage added ".model".
    weights = {name.removeprefix("module.").replace(".model.", "."): value for name, value in state.items()}
    # The network was trained on BGR. Flipping its first kernels makes it take RGB.
    return {**weights, "conv1.conv.weight": weights["conv1.conv.weight"][:, ::-1]}


def _chosen(graph: GraphBuilder, rows: str, columns: Sequence[int]) -> str:
    return graph.node("Gather", rows, graph.integers(columns), axis=1)


class _MiniFasNet:
    """One of the two networks. Pruning left no pattern in its widths, so they are read from the weights."""

    def __init__(self, graph: GraphBuilder, weights: Weights) -> None:
        self._graph, self._weights = graph, weights

    def classes(self, crops: str) -> str:
        """Add the network for `crops`, uint8 (n, 80, 80, 3), and return its logits (n, 3). Pixels are not scaled."""
        graph = self._graph
        x = self._convolution(graph.planes(crops), "conv1", stride=2)
        x = self._convolution(x, "conv2_dw")
        for transition, stage in (("conv_23", "conv_3"), ("conv_34", "conv_4"), ("conv_45", "conv_5")):
            x = self._bottleneck(x, transition, stride=2)
            blocks = {name.split(".")[1] for name in self._weights if name.startswith(f"{stage}.")}
            for number in range(len(blocks)):
                x = graph.node("Add", x, self._bottleneck(x, f"{stage}.{number}"))
        x = self._convolution(x, "conv_6_sep")
        x = graph.node("Flatten", self._convolution(x, "conv_6_dw", padded=False))
        x = graph.layer(x, *folded(self._weights["linear.weight"], self._weights, "bn", EPSILON))
        return graph.layer(x, self._weights["prob.weight"])

    def _bottleneck(self, x: str, name: str, stride: int = 1) -> str:
        x = self._convolution(x, f"{name}.conv")
        x = self._convolution(x, f"{name}.conv_dw", stride)
        x = self._convolution(x, f"{name}.project")
        if f"{name}.se_module.fc1.weight" not in self._weights:
            return x
        gates = self._graph.node("GlobalAveragePool", x)
        for layer, norm, activation in (("fc1", "bn1", "Relu"), ("fc2", "bn2", "Sigmoid")):
            gates = self._graph.node(activation, self._folded(gates, f"{name}.se_module", layer, norm))
        return self._graph.node("Mul", x, gates)

    def _convolution(self, x: str, name: str, stride: int = 1, padded: bool = True) -> str:
        x = self._folded(x, name, "conv", "bn", stride, padded)
        slopes = self._weights.get(f"{name}.prelu.weight")
        return x if slopes is None else self._graph.prelu(x, slopes)

    def _folded(self, x: str, name: str, layer: str, norm: str, stride: int = 1, padded: bool = True) -> str:
        kernel, bias = folded(self._weights[f"{name}.{layer}.weight"], self._weights, f"{name}.{norm}", EPSILON)
        padding = kernel.shape[2] // 2 if padded else 0
        return self._graph.convolution(x, kernel, bias, stride=stride, padding=padding)
