"""Quantise networks to 8-bit integers, for CPUs.

Convolutions are quantised statically (Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018): weights signed and per output channel, activations unsigned and per
tensor. The ranges of the activations are measured once on real faces and stored next to the card, so that an export
needs no photos.

x86 CPUs without VNNI add the products of two neighbouring weights in 16 bits, which can overflow: the cosine between
FaceNet's embeddings in integers and in floats would be 0.96 instead of 0.999. Seven-bit weights would be safe, but
twice as coarse. Only the sums of neighbours have to fit, and the largest weight of a channel is rarely next to the
second largest. The scales are therefore chosen for the largest sum, which makes the weights 1.2 times as coarse.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, ValueInfoProto, numpy_helper
from onnxruntime import InferenceSession
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorData, TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from models.card import Card
from models.catalogue import ranges_path
from models.errors import ModelError

Ranges = Mapping[str, tuple[float, float]]
"""The smallest and largest value of each tensor before or after a convolution, by its name in the graph."""

OPERATORS = ["Conv"]
"""Operators that are quantised. Ranges are measured before and after them."""
BETWEEN = ["Relu", "Concat"]
"""Operators between convolutions, also quantised. In integers, a Relu costs nothing, and a Concat only copies."""


def quantised(model: ModelProto, ranges: Ranges) -> ModelProto:
    """Return a copy of `model` with its convolutions in integers.

    Args:
        model: a network of floats, with all normalisation folded into its convolutions.

    Raises:
        ModelError: the ranges were measured on a different graph.
    """
    convolutions = [node for node in model.graph.node if node.op_type in OPERATORS]
    if missing := {name for node in convolutions for name in (node.input[0], *node.output)} - set(ranges):
        raise ModelError(f"no range is known for {min(missing)}: measure the ranges with `facegraph models ranges`")
    known = {
        name: TensorData(lowest=np.float32(least), highest=np.float32(greatest))
        for name, (least, greatest) in _between(model, ranges).items()
    }
    copy = ModelProto()
    copy.CopyFrom(model)
    quantizer = QDQQuantizer(
        copy,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=TensorsData(CalibrationMethod.MinMax, known),
        nodes_to_quantize=[],
        nodes_to_exclude=[],
        op_types_to_quantize=OPERATORS + BETWEEN,
        extra_options={"WeightSymmetric": True, "TensorQuantOverrides": _scales(model, convolutions)},
    )
    quantizer.quantize_model()
    integers: ModelProto = quantizer.model.model
    return integers


def _scales(model: ModelProto, convolutions: Sequence[NodeProto]) -> dict[str, list[dict[str, Any]]]:
    """The range of each output channel of each convolution's weights, in the quantiser's format."""
    constants = {entry.name: entry for entry in model.graph.initializer}
    return {
        node.input[1]: [
            {"axis": 0, "quant_type": QuantType.QInt8, "symmetric": True, "rmin": -most, "rmax": most}
            for most in without_overflow(numpy_helper.to_array(constants[node.input[1]]))
        ]
        for node in convolutions
    }


def without_overflow(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the weight that 127 represents in each output channel, so that no sum of two products overflows 16 bits.

    Args:
        weights: weights of a convolution, (output channels, input channels, height, width).

    Returns:
        float32 (output channels), positive and at least the channel's largest weight. With this scale, two rounded
        neighbours of the same sign sum to at most 128, and 128 · 255 < 2¹⁵.
    """
    # Neighbours are pairs of consecutive input channels, counted from the first.
    rows = weights.transpose(0, 2, 3, 1).reshape(len(weights), -1)
    pairs = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2))).reshape(len(rows), -1, 2)
    sums = np.stack([np.maximum(side, 0).sum(axis=2) for side in (pairs, -pairs)])
    most: NDArray[np.float32] = np.maximum(sums.max(axis=(0, 2)), np.float32(1e-8))
    return most


def _between(model: ModelProto, ranges: Ranges) -> Ranges:
    """Return `ranges` and the ranges that follow from them.

    The output of a Relu has the positive part of its input's range, so that no integer is wasted on values that are
    cut off. The inputs of a Concat have the range of its output, so that all have the same scale.
    """
    known = dict(ranges)
    for node in model.graph.node:
        if node.op_type == "Relu" and node.input[0] in ranges:
            least, greatest = ranges[node.input[0]]
            known.setdefault(node.output[0], (max(least, 0.0), max(greatest, 0.0)))
    for node in model.graph.node:
        if node.op_type == "Concat" and node.output[0] in ranges:
            known.update(dict.fromkeys(node.input, ranges[node.output[0]]))
    return known


def read_ranges(card: Card) -> Ranges:
    """Read the ranges of `card` from the file next to it.

    Raises:
        ModelError: the file is missing.
    """
    try:
        ranges: Ranges = json.loads(ranges_path(card).read_text("utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"the ranges of {card.name} are missing: measure them with `facegraph models ranges`"
        ) from None
    return ranges


def write_ranges(card: Card, ranges: Ranges) -> None:
    """Write `ranges` to a file next to `card`: one tensor per line, rounded to four digits."""
    lines = (f"{json.dumps(name)}: [{_rounded(least)}, {_rounded(most)}]" for name, (least, most) in ranges.items())
    ranges_path(card).write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def measure_ranges(path: Path, crops: NDArray[np.uint8]) -> Ranges:
    """Measure the ranges of the float ONNX file at `path`, which takes one crop per face.

    Args:
        crops: uint8 (n, size, size, 3) RGB.
    """
    model = onnx.load(path)
    convolutions = [node for node in model.graph.node if node.op_type in OPERATORS]
    names = sorted({name for node in convolutions for name in (node.input[0], *node.output)})
    del model.graph.output[:]
    model.graph.output.extend(ValueInfoProto(name=name) for name in names)
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    [entry] = session.get_inputs()
    ranges = dict.fromkeys(names, (math.inf, -math.inf))
    for crop in crops:
        for name, values in zip(names, session.run(names, {entry.name: crop[None]}), strict=True):
            least, greatest = ranges[name]
            ranges[name] = min(least, float(values.min())), max(greatest, float(values.max()))
    return ranges


def _rounded(value: float) -> float:
    return round(value, 4 - math.ceil(math.log10(abs(value)))) if value else 0.0
