"""Putting a network's pre- and post-processing inside its ONNX graph.

Every exported file takes uint8 NHWC RGB crops and returns what the engine needs, so that no processing is left
to do, or to do differently, at run time.
"""

from typing import Literal

import onnx
from onnx import ModelProto, numpy_helper
from onnx.compose import merge_models

from models.errors import ModelError

OPSET = 18
Layout = Literal["nhwc", "nchw"]
Colours = Literal["rgb", "bgr"]

LEAST_SPOOF = 1e-4
"""The deep tree network's spoof score is clipped to this distance from 0 and 1, where its logit is infinite."""


def current(model: ModelProto) -> ModelProto:
    """`model` in this module's operator set: files from elsewhere are often older."""
    return onnx.version_converter.convert_version(model, OPSET)


def with_crops_in(
    core: ModelProto, size: int, mean: float, scale: float, layout: Layout, colours: Colours = "rgb"
) -> ModelProto:
    """Put an input ``crops``, uint8 (n, size, size, 3) RGB, before `core`, which receives (x - mean) * scale.

    `core` has one float input of the given layout and order of channels.
    """
    transposed = "Transpose <perm = [0, 3, 1, 2]> (scaled)" if layout == "nchw" else "Identity (scaled)"
    shape = f"n, 3, {size}, {size}" if layout == "nchw" else f"n, {size}, {size}, 3"
    turned = "order = Constant <value = int64[3] {2, 1, 0}> () ordered = Gather <axis = 3> (crops, order)"
    head = _parsed(
        core,
        f"""crops_in (uint8[n, {size}, {size}, 3] crops) => (float[{shape}] prepared) {{
            {turned if colours == "bgr" else "ordered = Identity (crops)"}
            mean = Constant <value = float {{{mean}}}> ()
            scale = Constant <value = float {{{scale}}}> ()
            pixels = Cast <to = 1> (ordered)
            centred = Sub (pixels, mean)
            scaled = Mul (centred, scale)
            prepared = {transposed}
        }}""",
    )
    return merge_models(head, core, io_map=[("prepared", core.graph.input[0].name)])


def with_photos_in(core: ModelProto) -> ModelProto:
    """`core` behind an input ``photos``: uint8 (n, height, width, 3) RGB, given to it as float planes of 0 to 255."""
    head = _parsed(
        core,
        """photos_in (uint8[n, height, width, 3] photos) => (float[n, 3, height, width] planes) {
            pixels = Cast <to = 1> (photos)
            planes = Transpose <perm = [0, 3, 1, 2]> (pixels)
        }""",
    )
    return merge_models(head, core, io_map=[("planes", core.graph.input[0].name)])


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


def with_live_logit(core: ModelProto, live_class: int) -> ModelProto:
    """Turn the one output of `core`, (n, classes) of softmax logits z, into ``logit`` (n) of the live class.

    It is log(p / (1 - p)) of the class's probability p, computed as z_live - log(sum of exp(z) of the others),
    which does not saturate as p does.

    Raises:
        ModelError: the network has no such class, or no other.
    """
    classes = core.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    others = ", ".join(str(index) for index in range(classes) if index != live_class)
    if live_class >= classes or not others:
        raise ModelError(f"the network has {classes} classes, and the card's live_class is {live_class}")
    tail = _parsed(
        core,
        f"""live_logit (float[n, {classes}] classes) => (float[n] logit) {{
            live_class = Constant <value = int64 {{{live_class}}}> ()
            other_classes = Constant <value = int64[{classes - 1}] {{{others}}}> ()
            axis = Constant <value = int64[1] {{1}}> ()
            live = Gather <axis = 1> (classes, live_class)
            others = Gather <axis = 1> (classes, other_classes)
            spoof = ReduceLogSumExp <keepdims = 0> (others, axis)
            logit = Sub (live, spoof)
        }}""",
    )
    return merge_models(core, tail, io_map=[(core.graph.output[0].name, "classes")])


def with_leaf_logit(core: ModelProto) -> ModelProto:
    """Turn the leaf scores and route of `core`, a deep tree network, both (n, 8), into the live ``logit`` (n).

    The spoof probability is the sum of the leaves' absolute scores along the route, clipped by `LEAST_SPOOF`.
    """
    tail = _parsed(
        core,
        f"""leaf_logit (float[n, 8] leaves, float[n, 8] route) => (float[n] logit) {{
            axis = Constant <value = int64[1] {{1}}> ()
            one = Constant <value = float {{1}}> ()
            least = Constant <value = float {{{LEAST_SPOOF}}}> ()
            most = Constant <value = float {{{1 - LEAST_SPOOF}}}> ()
            size = Abs (leaves)
            taken = Mul (size, route)
            sum = ReduceSum <keepdims = 0> (taken, axis)
            spoof = Clip (sum, least, most)
            live = Sub (one, spoof)
            odds = Div (live, spoof)
            logit = Log (odds)
        }}""",
    )
    leaves, route = (output.name for output in core.graph.output)
    return merge_models(core, tail, io_map=[(leaves, "leaves"), (route, "route")])


def with_constant_weights(core: ModelProto) -> ModelProto:
    """`core` without its weights among its inputs.

    Older exporters list every weight as an input whose value a caller may replace. ONNX Runtime then neither fuses
    nodes nor lays the weights out for its fast kernels: CenterFace takes twice the time.
    """
    weights = {weight.name for weight in core.graph.initializer}
    inputs = [entry for entry in core.graph.input if entry.name not in weights]
    del core.graph.input[:]
    core.graph.input.extend(inputs)
    return core


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
