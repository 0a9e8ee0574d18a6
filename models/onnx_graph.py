"""Putting a network's pre- and post-processing inside its ONNX graph.

Every exported file takes uint8 NHWC RGB crops and gives the final answer, so that nothing is left
to do, or to do differently, at run time.
"""

from typing import Literal

import onnx
from onnx import ModelProto, numpy_helper
from onnx.compose import merge_models

OPSET = 18
Layout = Literal["nhwc", "nchw"]


def current(model: ModelProto) -> ModelProto:
    """`model` in this module's operator set: files from elsewhere are often older."""
    return onnx.version_converter.convert_version(model, OPSET)


def with_crops_in(core: ModelProto, size: int, mean: float, scale: float, layout: Layout) -> ModelProto:
    """`core` behind an input ``crops``: uint8 (n, size, size, 3) RGB, given to it as (x - mean) * scale.

    `core` has one float input of the given layout.
    """
    transposed = "Transpose <perm = [0, 3, 1, 2]> (scaled)" if layout == "nchw" else "Identity (scaled)"
    shape = f"n, 3, {size}, {size}" if layout == "nchw" else f"n, {size}, {size}, 3"
    head = _parsed(
        core,
        f"""crops_in (uint8[n, {size}, {size}, 3] crops) => (float[{shape}] prepared) {{
            mean = Constant <value = float {{{mean}}}> ()
            scale = Constant <value = float {{{scale}}}> ()
            pixels = Cast <to = 1> (crops)
            centred = Sub (pixels, mean)
            scaled = Mul (centred, scale)
            prepared = {transposed}
        }}""",
    )
    return merge_models(head, core, io_map=[("prepared", core.graph.input[0].name)])


def with_l2_norm(core: ModelProto, size: int) -> ModelProto:
    """`core` with its one output, (n, size) floats, scaled to length 1 as ``embedding``."""
    tail = _parsed(
        core,
        f"""l2_norm (float[n, {size}] raw) => (float[n, {size}] embedding) {{
            floor = Constant <value = float {{1e-12}}> ()
            axis = Constant <value = int64[1] {{1}}> ()
            length = ReduceL2 <keepdims = 1> (raw, axis)
            divisor = Max (length, floor)
            embedding = Div (raw, divisor)
        }}""",
    )
    return merge_models(core, tail, io_map=[(core.graph.output[0].name, "raw")])


def with_softmax(core: ModelProto, live_class: int) -> ModelProto:
    """`core` with its one output of class logits turned into ``live``, the probability of one class, (n)."""
    tail = _parsed(
        core,
        f"""softmax (float[n, classes] logits) => (float[n] live) {{
            index = Constant <value = int64 {{{live_class}}}> ()
            probabilities = Softmax <axis = 1> (logits)
            live = Gather <axis = 1> (probabilities, index)
        }}""",
    )
    return merge_models(core, tail, io_map=[(core.graph.output[0].name, "logits")])


def with_leaf_scores(core: ModelProto) -> ModelProto:
    """`core`, a deep tree network, with its leaf scores and route, both (n, 8), turned into ``live`` (n).

    Spoof is the sum of the leaves' absolute scores along the route taken; live is what is left of 1.
    """
    tail = _parsed(
        core,
        """leaf_scores (float[n, 8] leaves, float[n, 8] route) => (float[n] live) {
            axis = Constant <value = int64[1] {1}> ()
            one = Constant <value = float {1}> ()
            size = Abs (leaves)
            taken = Mul (size, route)
            spoof = ReduceSum <keepdims = 0> (taken, axis)
            inverse = Sub (one, spoof)
            zero = Constant <value = float {0}> ()
            live = Clip (inverse, zero, one)
        }""",
    )
    leaves, route = (output.name for output in core.graph.output)
    return merge_models(core, tail, io_map=[(leaves, "leaves"), (route, "route")])


def with_any_batch(core: ModelProto) -> ModelProto:
    """`core` with a batch dimension that was fixed at conversion made free."""
    fixed = core.graph.input[0].type.tensor_type.shape.dim[0].dim_value
    for entry in (*core.graph.input, *core.graph.output):
        entry.type.tensor_type.shape.dim[0].dim_param = "n"
    # Shapes noted for inner tensors speak of the old batch.
    del core.graph.value_info[:]
    shapes = {node.input[1] for node in core.graph.node if node.op_type == "Reshape"}
    for constant in core.graph.initializer:
        if constant.name in shapes:
            shape = numpy_helper.to_array(constant).copy()
            if shape[0] == fixed:
                # To a Reshape, 0 means the dimension that comes in.
                shape[0] = 0
                constant.CopyFrom(numpy_helper.from_array(shape, constant.name))
    return core


def _parsed(core: ModelProto, graph: str) -> ModelProto:
    """A model written as text, of the same versions as `core`."""
    versions = ", ".join(f'"{entry.domain}" : {entry.version}' for entry in core.opset_import)
    model: ModelProto = onnx.parser.parse_model(f"<ir_version: {core.ir_version}, opset_import: [{versions}]>\n{graph}")
    return model
