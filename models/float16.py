"""Convert networks to 16-bit floats, for GPUs."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import ModelProto

KEPT = ("Div", "Exp", "Gather", "ReduceL2", "ReduceSum", "ReduceLogSumExp", "Sigmoid", "Softmax", "Sub")
"""Operators that stay in 32 bits, besides those that ONNX Runtime excludes: sums can exceed 65,504, embeddings must
have length 1, and scores near 1 must remain distinct."""


def half_precision(path: Path) -> bytes:
    """Return the ONNX file at `path` with weights and arithmetic in 16-bit floats; inputs and outputs stay as they are.

    Takes 0.1 s for MobileFaceNet and 5 s for FaceNet. `tests/models/test_onnx_session.py` compares the answers.
    """
    # Imported here, because replicas with other engines start sooner without them.
    import onnx
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    blocked = [*DEFAULT_OP_BLOCK_LIST, *KEPT]
    converted = convert_float_to_float16(onnx.load(path), keep_io_types=True, op_block_list=blocked)
    _keep_results_between(converted)
    return bytes(converted.SerializeToString())


def _keep_results_between(model: "ModelProto") -> None:
    """Pass results between operators that stay in 32 bits without rounding them to 16 bits.

    The conversion rounds each result, and converts it back for each operator that reads it.
    """
    # If two operators that stay in 32 bits read the same result, the conversion adds the same node twice. This keeps
    # one.
    nodes = {node.output[0]: node for node in reversed(model.graph.node)}
    outputs = {output.name for output in model.graph.output}

    def unrounded(name: str) -> str:
        back = nodes.get(name)
        if back is None or not (back.name.endswith("_cast_to_fp32_node") or back.name.startswith("graph_output_cast")):
            return name
        rounded = nodes.get(back.input[0])
        if rounded is None or not rounded.name.endswith("_cast_to_fp16_node"):
            return name
        return str(rounded.input[0])

    for node in nodes.values():
        for index, name in enumerate(node.input):
            node.input[index] = unrounded(name)
    for name in outputs:
        if (source := unrounded(name)) != name:
            nodes[name].op_type = "Identity"
            del nodes[name].attribute[:]
            nodes[name].input[0] = source
    del model.graph.node[:]
    model.graph.node.extend(reversed(nodes.values()))
