"""PReLU rewritten for ONNX Runtime's fast layout, on tiny networks written by hand and in the real exports."""

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper

from models.catalogue import card
from models.onnx_graph import OPSET
from models.onnx_prelu import with_split_prelus
from models.store import Store

Floats = NDArray[np.float32]

SLOPES = {
    "leaky": [0.25, 0.1, 0.0],
    "negative": [-0.5, -1.0, -3.0],
    "above one": [1.0, 1.5, 4.0],
    "mixed": [-0.75, 0.3, 2.0],
}
EVERY_SLOPE = pytest.mark.parametrize("slopes", SLOPES.values(), ids=SLOPES)
HALVES = np.array([[[-0.375]], [[0.15]], [[1.0]]], np.float32)
"""Half the mixed slopes, as TFLite's form has them."""


def network(body: str, inputs: str = "float[n, 3, 4, 5] x", outputs: str = "y", **constants: Floats) -> ModelProto:
    declared = ", ".join(f"float[n, 3, 4, 5] {name}" for name in outputs.split())
    model: ModelProto = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : {OPSET}]>\ncore ({inputs}) => ({declared}) {{ {body} }}'
    )
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in constants.items())
    return model


def over_channels(slopes: list[float]) -> Floats:
    return np.array(slopes, np.float32).reshape(-1, 1, 1)


def floats(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(scale=3, size=shape).astype(np.float32)


def operators(model: ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def opened(model: ModelProto) -> onnxruntime.InferenceSession:
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def rewritten(model: ModelProto) -> ModelProto:
    """What becomes of a copy of `model`, which gives the same answers for any batch."""
    copy = ModelProto()
    copy.CopyFrom(model)
    changed = with_split_prelus(copy)
    original, split = opened(model), opened(changed)
    shapes = {entry.name: [side.dim_value for side in entry.type.tensor_type.shape.dim] for entry in model.graph.input}
    for count in (1, 3):
        arrays = {name: floats(count, *shape, seed=seed) for seed, (name, (_, *shape)) in enumerate(shapes.items())}
        for given, expected in zip(split.run(None, arrays), original.run(None, arrays), strict=True):
            np.testing.assert_allclose(given, expected, atol=1e-5)
    return changed


@EVERY_SLOPE
@pytest.mark.parametrize("shape", [(3, 1, 1), (1, 3, 1, 1)], ids=str)
def test_a_prelu_over_channels_is_split(slopes: list[float], shape: tuple[int, ...]) -> None:
    model = rewritten(network("y = PRelu (x, slope)", slope=over_channels(slopes).reshape(shape)))
    assert operators(model) == {"Relu": 1, "Conv": 2, "Add": 1}


@EVERY_SLOPE
@pytest.mark.parametrize("product", ["difference, half", "half, difference"])
@pytest.mark.parametrize("total", ["positive, negative", "negative, positive"])
def test_a_prelu_as_tflite_spells_it_out_is_split(slopes: list[float], product: str, total: str) -> None:
    body = f"""
        positive = Relu (x)
        size = Abs (x)
        difference = Sub (x, size)
        negative = Mul ({product})
        y = Add ({total})
    """
    model = rewritten(network(body, half=over_channels([slope / 2 for slope in slopes])))
    assert operators(model) == {"Relu": 1, "Conv": 2, "Add": 1}


def test_the_maximum_may_come_last() -> None:
    body = """
        size = Abs (x)
        difference = Sub (x, size)
        negative = Mul (difference, half)
        positive = Relu (x)
        y = Add (positive, negative)
    """
    assert operators(rewritten(network(body, half=HALVES))) == {"Relu": 1, "Conv": 2, "Add": 1}


def test_several_in_a_row_are_all_split_and_what_is_between_them_stays() -> None:
    body = """
        first = PRelu (x, slope)
        moved = Add (first, shift)
        positive = Relu (moved)
        size = Abs (moved)
        difference = Sub (moved, size)
        negative = Mul (difference, half)
        second = Add (positive, negative)
        y = PRelu (second, slope)
    """
    slope, shift = over_channels([-0.75, 0.3, 2.0]), over_channels([0.5, -1.0, 0.0])
    model = rewritten(network(body, slope=slope, shift=shift, half=HALVES))
    assert operators(model) == {"Relu": 3, "Conv": 6, "Add": 3 + 1}


def test_a_prelu_after_a_fully_connected_layer_stays() -> None:
    model = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : {OPSET}]>
        core (float[n, 3] x) => (float[n, 3] y) <float[3, 3] weights = {{1, 2, 3, -4, 5, -6, 7, 8, -9}},
            float[3] slope = {{-0.5, 0.25, 2}}> {{
            dense = MatMul (x, weights)
            y = PRelu (dense, slope)
        }}"""
    )
    assert operators(rewritten(model)) == {"MatMul": 1, "PRelu": 1}


@pytest.mark.parametrize(
    "slope", [floats(3, 4, 5), floats(1, 1, 5), floats(1, 1, 1)], ids=["of each value", "of each column", "of all"]
)
def test_a_prelu_of_other_slopes_stays(slope: Floats) -> None:
    assert operators(rewritten(network("y = PRelu (x, slope)", slope=slope))) == {"PRelu": 1}


def test_a_prelu_whose_slopes_are_computed_stays() -> None:
    model = network("twice = Add (slope, slope) y = PRelu (x, twice)", slope=over_channels([0.5, -1.0, 2.0]))
    assert operators(rewritten(model)) == {"Add": 1, "PRelu": 1}


SPELT_OUT = {
    "positive": "Relu (x)",
    "size": "Abs (x)",
    "difference": "Sub (x, size)",
    "negative": "Mul (difference, half)",
    "y": "Add (positive, negative)",
}
LINES = " ".join(f"{name} = {expression}" for name, expression in SPELT_OUT.items())


@pytest.mark.parametrize(
    "changed",
    [
        {"size": "Abs (z)"},
        {"size": "Neg (x)"},
        {"difference": "Sub (size, x)"},
        {"difference": "Sub (z, size)"},
        {"difference": "Add (x, size)"},
        {"negative": "Mul (difference, z)"},
        {"negative": "Mul (difference, difference)"},
        {"negative": "Div (difference, half)"},
        {"negative": "Mul (difference, columns)"},
        {"negative": "Mul (difference, one)"},
        {"y": "Add (z, negative)"},
        {"y": "Sub (positive, negative)"},
        {"y": "Mul (positive, negative)"},
        {"positive": "Relu (z)"},
        {"positive": "Sigmoid (x)"},
        {"y": "Sum (positive, negative, positive)"},
    ],
    ids=lambda changed: " ".join(f"{name} = {expression}" for name, expression in changed.items()),
)
def test_what_only_looks_like_it_is_left_alone(changed: dict[str, str]) -> None:
    nodes = SPELT_OUT | changed
    model = network(
        " ".join(f"{name} = {expression}" for name, expression in nodes.items()),
        "float[n, 3, 4, 5] x, float[n, 3, 4, 5] z",
        half=HALVES,
        columns=floats(1, 1, 5),
        one=floats(1, 1, 1),
    )
    before = operators(model)
    assert operators(rewritten(model)) == before


@pytest.mark.parametrize("name", ["positive", "size", "difference", "negative"])
def test_a_result_that_something_else_uses_is_kept(name: str) -> None:
    model = network(f"{LINES} also = Neg ({name})", outputs="y also", half=HALVES)
    assert operators(rewritten(model))["Abs"] == 1


@pytest.mark.parametrize("name", ["positive", "size", "difference", "negative"])
def test_a_result_that_the_graph_gives_is_kept(name: str) -> None:
    assert operators(rewritten(network(LINES, outputs=f"y {name}", half=HALVES)))["Abs"] == 1


@pytest.mark.parametrize("name", ["mtcnn", "mobilefacenet"])
def test_the_real_exports_have_none_left_over_channels(store: Store, name: str) -> None:
    paths = store.exports(card(name))
    assert len(paths) == {"mtcnn": 3, "mobilefacenet": 1}[name]
    for path in paths:
        model = onnx.shape_inference.infer_shapes(onnx.load(path))
        graph = model.graph
        known = [*graph.input, *graph.value_info, *graph.output]
        ranks = {entry.name: len(entry.type.tensor_type.shape.dim) for entry in known}
        assert operators(model)["Abs"] == 0
        assert {ranks[node.input[0]] for node in graph.node if node.op_type == "PRelu"} <= {2}
        assert operators(model)["Relu"] >= 3
