"""Put a network's pre- and postprocessing into its ONNX graph.

An exported network takes uint8 NHWC RGB crops and returns its task's answer, so that processing is the same wherever it
runs.
"""

import onnx
from onnx import ModelProto, numpy_helper
from onnx.compose import merge_models

from models.card import Card
from models.input import LUMINANCE, Input

OPSET = 18

MIN_SPOOF = 1e-4
"""The deep tree network's spoof score is clipped to [MIN_SPOOF, 1 - MIN_SPOOF]: the logits of 0 and 1 are infinite."""


def current(model: ModelProto) -> ModelProto:
    """Convert `model`, which may be older, to the operator set `OPSET`."""
    return onnx.version_converter.convert_version(model, OPSET)


def with_crops_in(core: ModelProto, size: int, expected: Input) -> ModelProto:
    """Prepend an input ``crops``, uint8 (n, size, size, 3) RGB, and prepare it for `core` according to `expected`."""
    channels = 1 if expected.colours == "grey" else 3
    planes = expected.layout == "nchw"
    shape = f"n, {channels}, {size}, {size}" if planes else f"n, {size}, {size}, {channels}"
    head = _parsed(
        core,
        f"""crops_in (uint8[n, {size}, {size}, 3] crops) => (float[{shape}] prepared) {{
            colours = Cast <to = 1> (crops)
            {_CHANNELS[expected.colours]}
            mean = Constant <value = {_constant(expected.mean)}> ()
            scale = Constant <value = {_constant(expected.std, inverse=True)}> ()
            centred = Sub (pixels, mean)
            scaled = Mul (centred, scale)
            prepared = {"Transpose <perm = [0, 3, 1, 2]>" if planes else "Identity"} (scaled)
        }}""",
    )
    return _merged(head, core, io_map=[("prepared", core.graph.input[0].name)])


_CHANNELS = {
    "rgb": "pixels = Identity (colours)",
    "bgr": "order = Constant <value = int64[3] {2, 1, 0}> () pixels = Gather <axis = 3> (colours, order)",
    "grey": f"""luminance = Constant <value = float[3, 1] {{{", ".join(map(str, LUMINANCE))}}}> ()
            pixels = MatMul (colours, luminance)""",
}


def _constant(numbers: float | tuple[float, ...], inverse: bool = False) -> str:
    several = numbers if isinstance(numbers, tuple) else (numbers,)
    values = ", ".join(str(1 / number if inverse else number) for number in several)
    return f"float{'[3]' if isinstance(numbers, tuple) else ''} {{{values}}}"


def with_crops_side_by_side(model: ModelProto, size: int, count: int) -> ModelProto:
    """Change `model` to read `count` crops per face, as inputs ``crops_0``, ``crops_1``, ..., and stack its answers.

    Args:
        model: maps crops, uint8 (n, size, size, 3), to an answer, float32 (n). The new answer is float32 (n, count).
    """
    names = [f"crops_{place}" for place in range(count)]
    inputs = ", ".join(f"uint8[n, {size}, {size}, 3] {name}" for name in names)
    head = _parsed(
        model,
        f"""all_crops ({inputs}) => (uint8[m, {size}, {size}, 3] every_crop) {{
            every_crop = Concat <axis = 0> ({", ".join(names)})
        }}""",
    )
    answer = model.graph.output[0]
    parts = [f"answers_{place}" for place in range(count)]
    tail = _parsed(
        model,
        f"""side_by_side (float[m] every_answer) => (float[n, {count}] answers) {{
            axis = Constant <value = int64[1] {{1}}> ()
            {", ".join(parts)} = Split <axis = 0, num_outputs = {count}> (every_answer)
            {" ".join(f"column_{part} = Unsqueeze ({part}, axis)" for part in parts)}
            answers = Concat <axis = 1> ({", ".join(f"column_{part}" for part in parts)})
        }}""",
    )
    joined = _merged(head, model, io_map=[("every_crop", model.graph.input[0].name)])
    return _merged(joined, tail, io_map=[(answer.name, "every_answer")])


def with_photos_in(core: ModelProto) -> ModelProto:
    """Prepend an input ``photos``, uint8 (n, height, width, 3) RGB; `core` receives float planes of 0 to 255."""
    head = _parsed(
        core,
        """photos_in (uint8[n, height, width, 3] photos) => (float[n, 3, height, width] planes) {
            pixels = Cast <to = 1> (photos)
            planes = Transpose <perm = [0, 3, 1, 2]> (pixels)
        }""",
    )
    return _merged(head, core, io_map=[("planes", core.graph.input[0].name)])


def with_answer(core: ModelProto, card: Card) -> ModelProto:
    """Append the step that turns the outputs of `core`, each (n, size), into the answer of the card's task."""
    sizes = [output.type.tensor_type.shape.dim[1].dim_value for output in core.graph.output]
    tail = _parsed(core, card.face_task.tail(card.output, sizes))
    names = zip(core.graph.output, tail.graph.input, strict=True)
    return _merged(core, tail, io_map=[(output.name, entry.name) for output, entry in names])


def with_leaf_logit(core: ModelProto) -> ModelProto:
    """Append the live ``logit`` (n) to a deep tree network, whose outputs are leaf scores and route, both (n, 8).

    The spoof probability is the sum of the absolute leaf scores along the route, clipped by `MIN_SPOOF`.
    """
    tail = _parsed(
        core,
        f"""leaf_logit (float[n, 8] leaves, float[n, 8] route) => (float[n] logit) {{
            axis = Constant <value = int64[1] {{1}}> ()
            one = Constant <value = float {{1}}> ()
            least = Constant <value = float {{{MIN_SPOOF}}}> ()
            most = Constant <value = float {{{1 - MIN_SPOOF}}}> ()
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
    return _merged(core, tail, io_map=[(leaves, "leaves"), (route, "route")])


def with_constant_weights(core: ModelProto) -> ModelProto:
    """Remove the weights of `core` from its inputs.

    Older exporters list every weight as an input that callers may override. ONNX Runtime then neither fuses nodes nor
    prepacks weights: CenterFace takes twice as long.
    """
    weights = {weight.name for weight in core.graph.initializer}
    inputs = [entry for entry in core.graph.input if entry.name not in weights]
    del core.graph.input[:]
    core.graph.input.extend(inputs)
    return core


def with_any_batch(core: ModelProto) -> ModelProto:
    """Make the batch dimension of `core` free where it was fixed at conversion."""
    fixed = core.graph.input[0].type.tensor_type.shape.dim[0].dim_value
    for entry in (*core.graph.input, *core.graph.output):
        entry.type.tensor_type.shape.dim[0].dim_param = "n"
    # Shapes of inner tensors contain the fixed batch.
    del core.graph.value_info[:]
    shapes = {node.input[1] for node in core.graph.node if node.op_type == "Reshape"}
    constants = {constant.name: constant for constant in core.graph.initializer}
    constants |= {
        node.output[0]: entry.t
        for node in core.graph.node
        if node.op_type == "Constant"
        for entry in node.attribute
        if entry.name == "value"
    }
    for name, constant in constants.items():
        if name in shapes:
            shape = numpy_helper.to_array(constant).copy()
            if shape[0] == fixed:
                # In a Reshape, 0 means the dimension of its input.
                shape[0] = 0
                constant.CopyFrom(numpy_helper.from_array(shape, constant.name))
    return core


def _merged(first: ModelProto, second: ModelProto, io_map: list[tuple[str, str]]) -> ModelProto:
    merged: ModelProto = merge_models(first, second, io_map=io_map)
    # Both models have the same operator sets, which `merge_models` lists twice.
    del merged.opset_import[len(first.opset_import) :]
    return merged


def _parsed(core: ModelProto, graph: str) -> ModelProto:
    """Parse a model written as text, with the versions of `core`."""
    versions = ", ".join(f'"{entry.domain}" : {entry.version}' for entry in core.opset_import)
    model: ModelProto = onnx.parser.parse_model(f"<ir_version: {core.ir_version}, opset_import: [{versions}]>\n{graph}")
    return model
