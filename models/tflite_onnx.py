"""Convert TensorFlow Lite files of float networks to ONNX.

Only the operators of the catalogue's networks are supported. Planes are (n, height, width, channels) in the file and
(n, channels, height, width) in the ONNX graph. The schema of the file format comes with MediaPipe.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto

import models.detectors.mediapipe  # noqa: F401  loads mediapipe without TensorFlow, so it comes first
from models.errors import ModelError
from models.onnx_builder import GraphBuilder

# isort: split
from mediapipe.tasks.metadata import schema_py_generated as schema

Inputs = Sequence[int]
"""Indices of an operator's input tensors."""
Conversion = Callable[["_Conversion", Inputs, Any], str | NDArray[Any]]
"""Adds an operator to the graph and returns the name of its output, or its value if it is constant."""
PLANES = (0, 3, 1, 2)
"""The file's dimensions in the order of the graph."""
CONSTANTS: Mapping[int, type[np.generic]] = {
    schema.TensorType.FLOAT32: np.float32,
    schema.TensorType.FLOAT16: np.float16,
    schema.TensorType.INT32: np.int32,
}
"""Types of constant tensors."""
OPERATORS = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
"""Names of the operators by their codes."""


def to_onnx(path: Path) -> ModelProto:
    """Convert the .tflite file at `path`. Inputs and outputs keep their names and order; the batch becomes free.

    Raises:
        ModelError: the file cannot be read, or contains something that is not supported.
    """
    try:
        model = schema.ModelT.InitFromPackedBuf(path.read_bytes())
        return _Conversion(model).model()
    except (OSError, AttributeError, LookupError, TypeError, ValueError, struct.error) as error:
        # A damaged file can have values of any type and number anywhere.
        raise ModelError(f"{path} is not a TensorFlow Lite file of a float network: {error}") from error


class _Conversion:
    """The graph under construction, with the name or the constant value of each tensor in the file."""

    def __init__(self, model: Any) -> None:
        [self._subgraph] = model.subgraphs
        # Older files have only the deprecated field. Newer ones limit it to 127.
        self._codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
        self._graph = GraphBuilder()
        self._values: dict[int, str | NDArray[Any]] = {}
        for number, tensor in enumerate(self._subgraph.tensors):
            data = model.buffers[tensor.buffer].data
            if data is not None:
                self._values[number] = np.frombuffer(bytes(data), CONSTANTS[tensor.type]).reshape(self._shape(number))

    def model(self) -> ModelProto:
        inputs, outputs = (
            {self._subgraph.tensors[number].name.decode(): self._free_shape(number) for number in numbers}
            for numbers in (self._subgraph.inputs, self._subgraph.outputs)
        )
        self._values.update(zip(self._subgraph.inputs, inputs, strict=True))
        for operator in self._subgraph.operators:
            name = OPERATORS[self._codes[operator.opcodeIndex]]
            if name not in CONVERSIONS or getattr(operator.builtinOptions, "fusedActivationFunction", False):
                raise ModelError(f"the TensorFlow Lite operator {name}, or its activation, is not supported")
            [output] = operator.outputs
            self._values[output] = CONVERSIONS[name](self, operator.inputs, operator.builtinOptions)
        for number, name in zip(self._subgraph.outputs, outputs, strict=True):
            self._graph.node("Identity", self._name(number), name=name)
        return self._graph.model(inputs, outputs)

    def convolution(self, inputs: Inputs, options: Any, order: tuple[int, ...] = PLANES) -> str:
        """Add a convolution. `order` lists the kernel's dimensions in the order outputs, inputs, height, width."""
        x, kernel, bias = self._name(inputs[0]), self._constant(inputs[1]).transpose(order), self._constant(inputs[2])
        pads = self._pads(inputs[0], kernel.shape[2:], options)
        return self._graph.convolution(x, kernel, bias, stride=options.strideH, padding=pads)

    def depthwise_convolution(self, inputs: Inputs, options: Any) -> str:
        return self.convolution(inputs, options, (3, 0, 1, 2))

    def fully_connected(self, inputs: Inputs, options: Any) -> str:
        x, kernel, bias = inputs
        weights = self._constant(kernel)
        rows = self._reshaped(x, [-1, weights.shape[1]])
        return self._graph.layer(rows, weights, self._constant(bias))

    def reshape(self, inputs: Inputs, options: Any) -> str:
        # The file's batch is fixed. In a Reshape of ONNX, 0 means the dimension of its input.
        return self._reshaped(inputs[0], [0, *options.newShape[1:]])

    def leaky_relu(self, inputs: Inputs, options: Any) -> str:
        return self._graph.node("LeakyRelu", self._name(inputs[0]), alpha=float(options.alpha))

    def cast(self, inputs: Inputs, options: Any) -> str:
        return self._graph.node("Cast", self._name(inputs[0]), to=TensorProto.FLOAT)

    def concatenation(self, inputs: Inputs, options: Any) -> str:
        axis = options.axis if len(self._shape(inputs[0])) < 4 else PLANES.index(options.axis)
        return self._graph.node("Concat", *map(self._name, inputs), axis=axis)

    def strided_slice(self, inputs: Inputs, options: Any) -> str | NDArray[Any]:
        dimensions = 2 ** len(self._shape(inputs[0])) - 1
        if (options.beginMask & options.endMask) != dimensions or not (self._constant(inputs[3]) == 1).all():
            raise ModelError("a slice in a TensorFlow Lite file is only supported if it takes the whole tensor")
        return self._values[inputs[0]]

    def dequantised(self, inputs: Inputs, options: Any) -> NDArray[Any]:
        return self._constant(inputs[0]).astype(np.float32)

    def pool(self, operator: str, inputs: Inputs, options: Any) -> str:
        sides, strides = (options.filterHeight, options.filterWidth), (options.strideH, options.strideW)
        pads = self._pads(inputs[0], sides, options)
        return self._graph.node(operator, self._name(inputs[0]), kernel_shape=sides, strides=strides, pads=pads)

    def _pads(self, x: int, kernel: tuple[int, ...], options: Any) -> tuple[int, ...]:
        """Rows and columns of padding: top, left, bottom, right.

        With SAME, the output has the input's size divided by the stride, rounded up, and an odd row or column of
        padding comes at the end.
        """
        if options.padding == schema.Padding.VALID:
            return 0, 0, 0, 0
        _, height, width, _ = self._shape(x)
        totals = [
            max((-(-length // stride) - 1) * stride + side - length, 0)
            for length, side, stride in zip((height, width), kernel, (options.strideH, options.strideW), strict=True)
        ]
        before = [total // 2 for total in totals]
        return (*before, *(total - first for total, first in zip(totals, before, strict=True)))

    def _reshaped(self, x: int, shape: list[int]) -> str:
        name = self._name(x)
        if len(self._shape(x)) == 4:
            name = self._graph.node("Transpose", name, perm=(0, 2, 3, 1))
        return self._graph.node("Reshape", name, self._graph.integers(shape))

    def elementwise(self, operator: str, inputs: Inputs) -> str:
        rank = max(len(self._shape(number)) for number in inputs)
        return self._graph.node(operator, *(self._name(number, rank) for number in inputs))

    def _name(self, number: int, rank: int = 0) -> str:
        """The name of a tensor. A constant gets `rank` dimensions, in the graph's order."""
        value = self._values[number]
        if isinstance(value, str):
            return value
        value = value.reshape((1,) * (rank - value.ndim) + value.shape)
        return self._graph.constant(value.transpose(PLANES) if value.ndim == 4 else value)

    def _constant(self, number: int) -> NDArray[Any]:
        value = self._values[number]
        if isinstance(value, str):
            raise ModelError("a TensorFlow Lite network computes its weights, which is not supported")
        return value

    def _shape(self, number: int) -> list[int]:
        shape = self._subgraph.tensors[number].shape
        return [] if shape is None else [int(side) for side in shape]

    def _free_shape(self, number: int) -> list[int | str]:
        _, *sides = self._shape(number)
        return ["n", *([sides[2], *sides[:2]] if len(sides) == 3 else sides)]


def _elementwise(operator: str) -> Conversion:
    return lambda conversion, inputs, _: conversion.elementwise(operator, inputs)


def _pool(operator: str) -> Conversion:
    return lambda conversion, inputs, options: conversion.pool(operator, inputs, options)


CONVERSIONS: Mapping[str, Conversion] = {
    "ABS": _elementwise("Abs"),
    "ADD": _elementwise("Add"),
    "AVERAGE_POOL_2D": _pool("AveragePool"),
    "CAST": _Conversion.cast,
    "CONCATENATION": _Conversion.concatenation,
    "CONV_2D": _Conversion.convolution,
    "DEPTHWISE_CONV_2D": _Conversion.depthwise_convolution,
    "DEQUANTIZE": _Conversion.dequantised,
    "FULLY_CONNECTED": _Conversion.fully_connected,
    "GREATER_EQUAL": _elementwise("GreaterOrEqual"),
    "LEAKY_RELU": _Conversion.leaky_relu,
    "LESS": _elementwise("Less"),
    "MAX_POOL_2D": _pool("MaxPool"),
    "MUL": _elementwise("Mul"),
    "RELU": _elementwise("Relu"),
    "RESHAPE": _Conversion.reshape,
    "STRIDED_SLICE": _Conversion.strided_slice,
    "SUB": _elementwise("Sub"),
}
