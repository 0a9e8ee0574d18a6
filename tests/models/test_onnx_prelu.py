"""PReLUs are rewritten for ONNX Runtime's fast layout, in tiny networks and in the real exports."""

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper

from models.catalogue import card
from models.onnx_graph import OPSET
from models.onnx_prelu import with_split_prelus
from models.store import Store

Floats = NDArray[np.float32]

SLOPES: Floats = np.array([-0.75, 0.3, 2.0], np.float32).reshape(3, 1, 1)
HALVES: Floats = SLOPES * np.float32(0.5)
SPLIT = Counter(Relu=1, Conv=2, Add=1)


def network(body: str, inputs: str = "x", outputs: str = "y", **constants: Floats) -> ModelProto:
    taken, given = (", ".join(f"float[n, 3, 4, 5] {name}" for name in names.split()) for names in (inputs, outputs))
    model: ModelProto = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : {OPSET}]>\ncore ({taken}) => ({given}) {{ {body} }}'
    )
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in constants.items())
    return model


def floats(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(scale=3, size=shape).astype(np.float32)


def operators(model: ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def opened(model: ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def rewritten(model: ModelProto) -> Counter[str]:
    """Rewrite a copy of `model`, check that its outputs are the same, and return its operators."""
    copy = ModelProto()
    copy.CopyFrom(model)
    changed = with_split_prelus(copy)
    onnx.checker.check_model(changed, full_check=True)
    original, split = opened(model), opened(changed)
    shapes = {entry.name: [side.dim_value for side in entry.type.tensor_type.shape.dim] for entry in model.graph.input}
    for count in (1, 3):
        arrays = {name: floats(count, *shape, seed=seed) for seed, (name, (_, *shape)) in enumerate(shapes.items())}
        for found, expected in zip(split.run(None, arrays), original.run(None, arrays), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-5)
    return operators(changed)


SPELT_OUT = {
    "positive": "Relu (x)",
    "size": "Abs (x)",
    "difference": "Sub (x, size)",
    "negative": "Mul (difference, half)",
    "y": "Add (positive, negative)",
}
"""A PReLU in TFLite's operators."""


def lines(nodes: dict[str, str]) -> str:
    return " ".join(f"{name} = {expression}" for name, expression in nodes.items())


slopes = st.lists(st.floats(-4, 4, width=32), min_size=3, max_size=3)


@settings(max_examples=10)
@given(slopes)
def test_a_prelu_over_channels_is_split(slopes: list[float]) -> None:
    array = np.array(slopes, np.float32)
    for shape in ((3, 1, 1), (1, 3, 1, 1)):
        assert rewritten(network("y = PRelu (x, slope)", slope=array.reshape(shape))) == SPLIT
    assert rewritten(network(lines(SPELT_OUT), half=array.reshape(3, 1, 1) * np.float32(0.5))) == SPLIT


@pytest.mark.parametrize("order", [("positive", "difference", "half"), ("negative", "half", "difference")])
@pytest.mark.parametrize("last", [True, False])
def test_the_order_of_tflites_operators_and_operands_does_not_matter(order: tuple[str, str, str], last: bool) -> None:
    first, *factors = order
    positive, other = "positive = Relu (x)", "negative" if first == "positive" else "positive"
    body = f"""
        {"" if last else positive}
        size = Abs (x)
        difference = Sub (x, size)
        negative = Mul ({", ".join(factors)})
        {positive if last else ""}
        y = Add ({first}, {other})
    """
    assert rewritten(network(body, half=HALVES)) == SPLIT


def test_several_in_a_row_are_all_split_and_what_is_between_them_stays() -> None:
    body = f"""
        first = PRelu (z, slope)
        x = Add (first, shift)
        {lines(SPELT_OUT).replace(" y = ", " second = ")}
        y = PRelu (second, slope)
    """
    shift = np.array([0.5, -1.0, 0.0], np.float32).reshape(3, 1, 1)
    split = rewritten(network(body, inputs="z", slope=SLOPES, shift=shift, half=HALVES))
    assert split == {"Relu": 3, "Conv": 6, "Add": 3 + 1}


DENSE = onnx.parser.parse_model(
    f"""<ir_version: 8, opset_import: ["" : {OPSET}]>
    core (float[n, 3] x) => (float[n, 3] y) <float[3] slope = {{-0.5, 0.25, 2}}> {{ y = PRelu (x, slope) }}"""
)


@pytest.mark.parametrize(
    "model",
    [
        *(network("y = PRelu (x, slope)", slope=floats(*shape)) for shape in ((3, 4, 5), (1, 1, 5), (1, 1, 1))),
        network("twice = Add (slope, slope) y = PRelu (x, twice)", slope=SLOPES),
        DENSE,
    ],
    ids=["of each value", "of each column", "of all", "computed", "after a fully connected layer"],
)
def test_a_prelu_of_other_slopes_stays(model: ModelProto) -> None:
    assert rewritten(model)["PRelu"] == 1


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
        {"positive": "Relu (z)"},
        {"positive": "Sigmoid (x)"},
        {"y": "Sum (positive, negative, positive)"},
    ],
    ids=lines,
)
def test_what_only_looks_like_it_is_left_alone(changed: dict[str, str]) -> None:
    nodes = lines(SPELT_OUT | changed)
    model = network(nodes, "x z", half=HALVES, columns=floats(1, 1, 5), one=floats(1, 1, 1))
    assert rewritten(model) == operators(model)


@pytest.mark.parametrize("name", ["positive", "size", "difference", "negative"])
def test_a_result_that_something_else_uses_or_the_graph_gives_is_kept(name: str) -> None:
    used = network(f"{lines(SPELT_OUT)} also = Neg ({name})", outputs="y also", half=HALVES)
    given = network(lines(SPELT_OUT), outputs=f"y {name}", half=HALVES)
    assert [rewritten(model)["Abs"] for model in (used, given)] == [1, 1]


@pytest.mark.parametrize(("name", "files"), [("mtcnn", 3), ("mobilefacenet", 1)])
def test_the_real_exports_have_none_left_over_channels(store: Store, name: str, files: int) -> None:
    paths = store.exports(card(name))
    assert len(paths) == files
    for path in paths:
        model = onnx.shape_inference.infer_shapes(onnx.load(path))
        known = [*model.graph.input, *model.graph.value_info, *model.graph.output]
        ranks = {entry.name: len(entry.type.tensor_type.shape.dim) for entry in known}
        assert operators(model)["Abs"] == 0
        assert {ranks[node.input[0]] for node in model.graph.node if node.op_type == "PRelu"} <= {2}
        assert operators(model)["Relu"] >= 3
