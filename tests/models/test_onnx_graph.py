"""ONNX graphs with pre- and postprocessing, and with PReLUs for ONNX Runtime's fast layout, on tiny networks."""

from collections import Counter
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto

from models.catalogue import card
from models.input import Input
from models.onnx_graph import (
    MIN_SPOOF,
    with_any_batch,
    with_crops_in,
    with_leaf_logit,
    with_photos_in,
)
from models.onnx_prelu import with_split_prelus
from models.store import Store
from tests.models.graphs import Floats, answers, floats, identity, written


def pixels(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("layout", ["nhwc", "nchw"])
@pytest.mark.parametrize(("mean", "std"), [(127.5, 128.0), ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))])
@pytest.mark.parametrize("colours", ["rgb", "bgr"])
def test_crops_come_in_as_bytes_and_reach_the_network_prepared(layout: Any, mean: Any, std: Any, colours: Any) -> None:
    shape = "n, 4, 4, 3" if layout == "nhwc" else "n, 3, 4, 4"
    model = with_crops_in(identity(shape), 4, Input(mean=mean, std=std, layout=layout, colours=colours))
    (entry,) = model.graph.input
    assert (entry.name, entry.type.tensor_type.elem_type) == ("crops", TensorProto.UINT8)
    crops = pixels(3, 4, 4, 3)
    prepared = ((crops[..., ::-1] if colours == "bgr" else crops) - np.float32(mean)) / np.float32(std)
    expected = prepared.transpose(0, 3, 1, 2) if layout == "nchw" else prepared
    np.testing.assert_allclose(answers(model, crops)[0], expected, atol=1e-5)


def test_a_grey_network_gets_one_channel() -> None:
    crops = pixels(3, 4, 4, 3)
    expected = cv2.cvtColor(crops.reshape(12, 4, 3), cv2.COLOR_RGB2GRAY).reshape(3, 1, 4, 4) / 255
    grey = Input(mean=0.0, std=255.0, layout="nchw", colours="grey")
    [prepared] = answers(with_crops_in(identity("n, 1, 4, 4"), 4, grey), crops)
    np.testing.assert_allclose(prepared, expected, atol=0.003)


@pytest.mark.parametrize("shape", [(1, 2, 3, 3), (2, 5, 4, 3)])
def test_photos_of_any_size_come_in_as_bytes_and_reach_the_network_as_planes(shape: tuple[int, ...]) -> None:
    photos = pixels(*shape)
    [planes] = answers(with_photos_in(identity("n, 3, h, w")), photos)
    np.testing.assert_array_equal(planes, photos.transpose(0, 3, 1, 2))


def test_leaf_scores_on_the_route_become_the_live_logit() -> None:
    leaves = np.array([[0.5, -0.3, *[9.0] * 6], [0.0] * 8, [-2.0] * 8], dtype=np.float32)
    route = np.array([[1, 1, 0, 0, 0, 0, 0, 0], [1] * 8, [0, 0, 0, 1, 0, 0, 0, 0]], dtype=np.float32)
    greatest = np.log((1 - MIN_SPOOF) / MIN_SPOOF)
    [logit] = answers(with_leaf_logit(identity("n, 8", "n, 8")), leaves, route)
    assert logit == pytest.approx([np.log(0.25), greatest, -greatest], abs=1e-3)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_batch_that_was_fixed_becomes_free(count: int) -> None:
    """A Reshape that does not start with the batch size is left alone."""
    core = written(
        """core (float[2, 4] x) => (float[2, 4] y) <int64[3] into = {2, 2, 2}, int64[2] all = {-1, 1},
            int64[2] back = {2, -1}> {
            parts = Reshape (x, into)
            turned = Transpose <perm = [0, 2, 1]> (parts)
            flat = Reshape (turned, back)
            column = Reshape (flat, all)
            y = Reshape (column, rows)
        }""",
        rows=np.array([-1, 4]),
    )
    rows = floats(count, 4)
    np.testing.assert_array_equal(answers(with_any_batch(core), rows)[0], rows[:, [0, 2, 1, 3]])


SLOPES: Floats = np.array([-0.75, 0.3, 2.0], np.float32).reshape(3, 1, 1)
HALVES: Floats = SLOPES * np.float32(0.5)
SPLIT = Counter(Relu=1, Mul=2, Add=1)


def network(body: str, inputs: str = "x", outputs: str = "y", **constants: Floats) -> ModelProto:
    taken, given = (", ".join(f"float[n, 3, 4, 5] {name}" for name in names.split()) for names in (inputs, outputs))
    return written(f"core ({taken}) => ({given}) {{ {body} }}", **constants)


def operators(model: ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def rewritten(model: ModelProto) -> Counter[str]:
    """Rewrite a copy of `model`, check that its outputs are the same, and return its operators."""
    copy = ModelProto()
    copy.CopyFrom(model)
    changed = with_split_prelus(copy)
    shapes = [[side.dim_value for side in entry.type.tensor_type.shape.dim] for entry in model.graph.input]
    for count in (1, 3):
        arrays = [floats(count, *shape, seed=seed) for seed, (_, *shape) in enumerate(shapes)]
        for found, expected in zip(answers(changed, *arrays), answers(model, *arrays), strict=True):
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


@settings(max_examples=10)
@given(st.lists(st.floats(-4, 4, width=32), min_size=3, max_size=3))
def test_a_prelu_over_channels_is_split(slopes: list[float]) -> None:
    array = np.array(slopes, np.float32)
    for shape in ((3, 1, 1), (1, 3, 1, 1)):
        assert rewritten(network("y = PRelu (x, slope)", slope=array.reshape(shape))) == SPLIT
    assert rewritten(network(lines(SPELT_OUT), half=array.reshape(3, 1, 1) * np.float32(0.5))) == SPLIT


@pytest.mark.parametrize("product", ["Mul (difference, half)", "Mul (half, difference)"])
@pytest.mark.parametrize("total", ["Add (positive, negative)", "Add (negative, positive)"])
@pytest.mark.parametrize("last", [True, False])
def test_the_order_of_tflites_operators_and_operands_does_not_matter(product: str, total: str, last: bool) -> None:
    nodes = SPELT_OUT | {"negative": product, "y": total}
    ordered = {"size": "", "difference": "", "negative": ""} | nodes if last else nodes
    assert rewritten(network(lines(ordered), half=HALVES)) == SPLIT


def test_several_in_a_row_are_all_split_and_what_is_between_them_stays() -> None:
    body = f"""
        first = PRelu (z, slope)
        x = Add (first, shift)
        {lines(SPELT_OUT).replace(" y = ", " second = ")}
        y = PRelu (second, slope)
    """
    shift = np.array([0.5, -1.0, 0.0], np.float32).reshape(3, 1, 1)
    split = rewritten(network(body, inputs="z", slope=SLOPES, shift=shift, half=HALVES))
    assert split == {"Relu": 3, "Mul": 6, "Add": 3 + 1}


DENSE = written("core (float[n, 3] x) => (float[n, 3] y) { y = PRelu (x, slope) }", slope=SLOPES.ravel())


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
        {"size": "Neg (x)"},
        {"difference": "Sub (size, x)"},
        {"difference": "Add (x, size)"},
        {"negative": "Mul (difference, z)"},
        {"negative": "Div (difference, half)"},
        {"negative": "Mul (difference, columns)"},
        {"negative": "Mul (difference, one)"},
        {"y": "Add (z, negative) rest = Neg (positive)"},
        {"y": "Sub (positive, negative)"},
        {"positive": "Sigmoid (x)"},
        {"y": "Sum (positive, negative, positive)"},
    ],
    ids=lines,
)
def test_operators_that_only_look_like_a_prelu_are_left_alone(changed: dict[str, str]) -> None:
    nodes = lines(SPELT_OUT | changed)
    model = network(nodes, "x z", half=HALVES, columns=floats(1, 1, 5), one=floats(1, 1, 1))
    assert rewritten(model) == operators(model)


@pytest.mark.parametrize("name", ["positive", "size", "difference", "negative"])
def test_a_result_that_something_else_uses_or_the_graph_gives_is_kept(name: str) -> None:
    used = network(f"{lines(SPELT_OUT)} also = Neg ({name})", outputs="y also", half=HALVES)
    given = network(lines(SPELT_OUT), outputs=f"y {name}", half=HALVES)
    assert [rewritten(model)["Abs"] for model in (used, given)] == [1, 1]


@pytest.mark.parametrize("name", ["mtcnn", "mobilefacenet"])
def test_the_real_exports_have_no_prelu_left_over_channels(store: Store, name: str) -> None:
    for path in store.exports(card(name)):
        before = operators(onnx.load(path))
        assert operators(with_split_prelus(onnx.load(path))) == before
        assert before["Relu"] >= 3
