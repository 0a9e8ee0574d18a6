"""Networks in 8-bit integers, for CPUs.

Static quantisation of the convolutions (Jacob et al., "Quantization and Training of Neural Networks for
Efficient Integer-Arithmetic-Only Inference", CVPR 2018): weights by output channel, activations by tensor and
unsigned. The activations' ranges are measured once, on real faces, and kept beside the card, so that an export needs
no photos.

x86 CPUs without VNNI add the products of two neighbouring weights in 16 bits, which may overflow: FaceNet's
embeddings would have a cosine of 0.96 instead of 0.999 with those in floats. Weights of seven bits would be safe, and
twice as coarse. It is the sums of neighbours that have to be small, though, and the largest weight of a channel
seldom stands beside the second largest: the scales are chosen for the largest sum, 1.2 times as coarse.
"""

import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, numpy_helper
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorData, TensorsData, create_calibrator
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from models.card import Card
from models.catalogue import ranges_path
from models.errors import ModelError

Ranges = Mapping[str, tuple[float, float]]
"""The least and the greatest value of each tensor around a convolution, by its name in the graph."""

OPERATORS = ["Conv"]
"""What is quantised, and around which ranges are measured."""
BETWEEN = ["Relu", "Concat"]
"""What stands between two of these: in integers, too, rectifying costs nothing and concatenating is copying."""


def quantised(model: ModelProto, ranges: Ranges) -> ModelProto:
    """A copy of `model`, of floats and with all normalisation folded in, with its convolutions in integers.

    Raises:
        ModelError: the ranges are of another graph.
    """
    convolutions = [node for node in model.graph.node if node.op_type in OPERATORS]
    if missing := {name for node in convolutions for name in (node.input[0], *node.output)} - set(ranges):
        raise ModelError(f"no range is known of {min(missing)}: measure them with `facegraph models ranges`")
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
    """What the quantiser has to take for the range of each output channel of each convolution's weights."""
    constants = {entry.name: entry for entry in model.graph.initializer}
    return {
        node.input[1]: [
            {"axis": 0, "quant_type": QuantType.QInt8, "symmetric": True, "rmin": -most, "rmax": most}
            for most in without_overflow(numpy_helper.to_array(constants[node.input[1]]))
        ]
        for node in convolutions
    }


def without_overflow(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """What 127 has to stand for in each output channel, so that no sum of two products overflows 16 bits.

    Args:
        weights: of a convolution (output channels, input channels, height, width).

    Returns:
        float32 (output channels), above 0: at least the channel's largest weight. With the scale that follows, two
        neighbours of one sign have a sum of 128 at most once they are rounded, and 128 · 255 is less than 2¹⁵.
    """
    # Input channels follow one another in memory, and neighbours are counted from the first on.
    rows = weights.transpose(0, 2, 3, 1).reshape(len(weights), -1)
    pairs = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2))).reshape(len(rows), -1, 2)
    sums = np.stack([np.maximum(side, 0).sum(axis=2) for side in (pairs, -pairs)])
    most: NDArray[np.float32] = np.maximum(sums.max(axis=(0, 2)), np.float32(1e-8))
    return most


def _between(model: ModelProto, ranges: Ranges) -> Ranges:
    """`ranges`, and those that follow from them.

    What is rectified has the positive part of its range, so that no integer stands for what is cut off. Tensors that
    are concatenated have the range of the whole, and with it the same scale.
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
    """The ranges that stand beside `card`.

    Raises:
        ModelError: there are none.
    """
    try:
        ranges: Ranges = json.loads(ranges_path(card).read_text("utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"the ranges of {card.name} are missing: measure them with `facegraph models ranges`"
        ) from None
    return ranges


def write_ranges(card: Card, ranges: Ranges) -> None:
    """Keep `ranges` beside `card`, to four digits, one tensor a line."""
    lines = (f"{json.dumps(name)}: [{_rounded(least)}, {_rounded(most)}]" for name, (least, most) in ranges.items())
    ranges_path(card).write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def measured(path: Path, crops: NDArray[np.uint8]) -> Ranges:
    """The ranges in the ONNX file of floats at `path`, which takes one crop a face, over `crops` (n, size, size, 3)."""
    with tempfile.TemporaryDirectory() as folder:
        # The calibration writes a copy beside its file, which must not be in a store.
        linked = Path(folder) / path.name
        linked.symlink_to(path.resolve())
        calibrator = create_calibrator(
            linked,
            OPERATORS,
            augmented_model_path=str(Path(folder) / "observed.onnx"),
            calibrate_method=CalibrationMethod.MinMax,
        )
        (entry,) = calibrator.infer_session.get_inputs()
        calibrator.collect_data(_Faces(entry.name, crops))
        data = calibrator.compute_data().data
    return {name: (float(np.min(entry.lowest)), float(np.max(entry.highest))) for name, entry in sorted(data.items())}


class _Faces:
    """Crops as ONNX Runtime's calibration draws them, one after another."""

    def __init__(self, name: str, crops: NDArray[np.uint8]) -> None:
        self._rest = ({name: crop[None]} for crop in crops)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        return next(self._rest, None)


def _rounded(value: float) -> float:
    return round(value, 4 - math.ceil(math.log10(abs(value)))) if value else 0.0
