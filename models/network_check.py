"""Check an ONNX file against its card before the export, so that a mistake is found when the model is pulled."""

from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto

from models.device import Device
from models.errors import ModelError
from models.input import Input
from models.onnx_graph import OPSET, current, with_constant_weights
from models.onnx_session import OnnxNetwork
from models.trial import one_line, trial

SQUASHING = ("Softmax", "Sigmoid")
"""Operators that turn logits into probabilities."""
RESHAPING = ("Identity", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Cast")
"""Operators that change at most the shape or type of the probabilities."""


def load_onnx_file(path: Path) -> ModelProto:
    """Load an ONNX file, convert it to the operator set `OPSET`, and remove the weights from its inputs.

    Raises:
        ModelError: it is not an ONNX file, or contains operators that cannot be converted.
    """
    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, OSError, onnx.checker.ValidationError) as error:
        raise ModelError(f"{path.name} cannot be read as an ONNX file: {one_line(error)}") from error
    if not model.graph.output:
        raise ModelError(f"{path.name} cannot be read as an ONNX file: it contains no network")
    if any(tensor.external_data for tensor in model.graph.initializer):
        raise ModelError(
            f"{path.name} keeps its weights in a second file: save it as one file with "
            "`onnx.save(onnx.load(PATH), NEW_PATH)`, or export it from PyTorch with `external_data=False`"
        )
    # Before IR version 4, weights had to be among the inputs.
    model.ir_version = max(model.ir_version, 4)
    try:
        return current(with_constant_weights(model))
    except RuntimeError as error:
        raise ModelError(f"{path.name} cannot be converted to operator set {OPSET}: {one_line(error)}") from error


def check_input(model: ModelProto, size: int, expected: Input) -> None:
    """Check that a network takes float crops of `size` pixels, prepared according to `expected`.

    Dimensions that the file leaves free fit anything.

    Raises:
        ModelError: it does not. The message names the field of the card.
    """
    if len(model.graph.input) != 1:
        raise ModelError(f"the network has {len(model.graph.input)} inputs; it must have one")
    tensor = model.graph.input[0].type.tensor_type
    dims = [entry.dim_value for entry in tensor.shape.dim]
    shape = f"({', '.join(str(number or 'free') for number in dims)})"
    if tensor.elem_type != TensorProto.FLOAT or len(dims) != 4:
        kind = TensorProto.DataType.Name(tensor.elem_type)
        raise ModelError(f"the network's input is {kind} {shape}; it must be FLOAT with four dimensions")
    channels = 1 if expected.colours == "grey" else 3
    _, first, middle, last = dims
    found, other = (first, last) if expected.layout == "nchw" else (last, first)
    if found not in (0, 1, 3) and other in (1, 3):
        raise ModelError(f"the card's input.layout is {expected.layout}, but the network's input is {shape}")
    if found not in (0, channels):
        stated = f"the card's input.colours is {expected.colours}, {channels} channel{'s' * (channels > 1)}"
        raise ModelError(f"{stated}, but the network's input {shape} has {found}")
    if {middle, other} - {0, size}:
        raise ModelError(f"the size of the card's crops is {size}, but the network's input is {shape}")


def check_logits(model: ModelProto) -> None:
    """Check that a network's outputs are not probabilities. Its graph must not have a cycle.

    Raises:
        ModelError: the last operator before an output is a softmax or a sigmoid.
    """
    makers = {name: node for node in model.graph.node for name in node.output}
    for output in model.graph.output:
        node = makers.get(output.name)
        while node is not None and node.op_type in RESHAPING:
            node = makers.get(node.input[0])
        if node is not None and node.op_type in SQUASHING:
            raise ModelError(
                f"the network's output {output.name} has gone through a {node.op_type}, but the card's task needs "
                f"logits: export the network without its {node.op_type}"
            )


def output_sizes(path: Path, crop: NDArray[np.float32], batch: int) -> list[int]:
    """Run the network at `path` on `batch` copies of a prepared crop, and return the length of a row of each output.

    Raises:
        ModelError: the network does not run, or an output is not float32 (batch, length).
    """
    outputs = trial(OnnxNetwork(path, Device()), np.repeat(crop[None], batch, axis=0))
    for number, output in enumerate(outputs):
        shape = np.shape(output)
        if len(shape) != 2 or shape[0] != batch or output.dtype != np.float32:
            raise ModelError(
                f"output {number} of the network is {getattr(output, 'dtype', type(output).__name__)} {shape}; it must "
                f"be float32 ({batch}, length), one row per face"
            )
    return [output.shape[1] for output in outputs]
