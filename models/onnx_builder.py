"""Build ONNX graphs node by node, from operators that ONNX Runtime runs fast."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from models.onnx_graph import OPSET
from models.onnx_prelu import with_split_prelus

IR_VERSION = 10
"""Version of ONNX's file format in all exports."""

Shape = Sequence[int | str]
"""Dimensions of an array. A named dimension is free."""


class GraphBuilder:
    """A graph under construction. Each method except `model` adds to it and returns the name of the result.

    Planes are float32 (n, channels, height, width).
    """

    def __init__(self) -> None:
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []

    def constant(self, values: Any) -> str:
        """Add a constant array of float32."""
        return self._constant(np.asarray(values, np.float32))

    def integers(self, values: Any) -> str:
        """Add a constant array of int64."""
        return self._constant(np.asarray(values, np.int64))

    def _constant(self, values: NDArray[Any]) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(values, name))
        return name

    def node(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node with one output. The output is called `name`; by default, it is named after the operator."""
        output = name or f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def planes(self, images: str) -> str:
        """Add the conversion of images, uint8 (n, height, width, channels), to planes."""
        return self.node("Cast", self.node("Transpose", images, perm=(0, 3, 1, 2)), to=TensorProto.FLOAT)

    def convolution(
        self,
        planes: str,
        kernel: NDArray[np.float32],
        bias: NDArray[np.float32] | None = None,
        *,
        stride: int = 1,
        padding: int | tuple[int, ...] = 0,
        name: str = "",
    ) -> str:
        """Add a convolution. It is depthwise if the kernel has one input channel.

        Args:
            kernel: (outputs, inputs, height, width).
            bias: (outputs).
            padding: zeros on every side, or on the top, left, bottom and right.
        """
        pads = (padding,) * 4 if isinstance(padding, int) else padding
        return self.node(
            "Conv",
            *self._weighted(planes, kernel, bias),
            name=name,
            kernel_shape=kernel.shape[2:],
            strides=(stride, stride),
            pads=pads,
            group=len(kernel) if kernel.shape[1] == 1 else 1,
        )

    def layer(
        self, x: str, kernel: NDArray[np.float32], bias: NDArray[np.float32] | None = None, *, name: str = ""
    ) -> str:
        """Add a convolution without padding, or a fully connected layer if `kernel` is (outputs, inputs)."""
        if kernel.ndim == 4:
            return self.convolution(x, kernel, bias, name=name)
        return self.node("Gemm", *self._weighted(x, kernel, bias), name=name, transB=1)

    def _weighted(self, x: str, kernel: NDArray[np.float32], bias: NDArray[np.float32] | None) -> list[str]:
        return [x, self.constant(kernel), *([] if bias is None else [self.constant(bias)])]

    def prelu(self, values: str, slopes: NDArray[np.float32], planes: bool = True) -> str:
        """Add a PReLU with one slope per channel of planes, or per column of rows (n, columns)."""
        return self.node("PRelu", values, self.constant(slopes.reshape(-1, 1, 1) if planes else slopes))

    def model(
        self, inputs: Mapping[str, Shape], outputs: Mapping[str, Shape], kind: int = TensorProto.FLOAT
    ) -> ModelProto:
        """Finish the graph as a model.

        Args:
            inputs, outputs: names and shapes. Outputs are float32.
            kind: element type of the inputs, a constant of `TensorProto`.
        """
        graph = helper.make_graph(
            self._nodes,
            "network",
            [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
            self._constants,
        )
        model = with_split_prelus(
            helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def folded(
    kernel: NDArray[np.float32], weights: Mapping[str, NDArray[np.float32]], norm: str, epsilon: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fold a batch normalisation into the kernel of the layer before it, which has no bias.

    Args:
        kernel: (outputs, ...).
        weights: PyTorch's state dict.
        norm: name of the batch normalisation in `weights`. If its weight is missing, it is 1.

    Returns:
        The new kernel, and the bias (outputs).
    """
    scale = weights.get(f"{norm}.weight", np.float32(1)) / np.sqrt(weights[f"{norm}.running_var"] + np.float32(epsilon))
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
    return kernel * scale.reshape(-1, *[1] * (kernel.ndim - 1)), bias


def scaled_input(
    kernel: NDArray[np.float32], bias: NDArray[np.float32], mean: float, std: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fold the scaling of the input, (x - mean) / std, into a convolution without padding.

    Args:
        kernel: (outputs, inputs, height, width).
        bias: (outputs).

    Returns:
        The new kernel and bias.
    """
    kernel = kernel / np.float32(std)
    return kernel, bias - np.float32(mean) * kernel.sum(axis=(1, 2, 3))
