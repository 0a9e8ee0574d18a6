"""Pre- and postprocessing in ONNX graphs, on tiny networks."""

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from models.input import Input
from models.onnx_graph import (
    LEAST_SPOOF,
    with_any_batch,
    with_constant_weights,
    with_crops_in,
    with_leaf_logit,
    with_photos_in,
)
from tests.models.graphs import answers, floats, identity, written


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


def test_weights_among_the_inputs_become_constant() -> None:
    core = written("core (float[n] x, float[n] w) => (float[n] y) { y = Add (x, w) }", w=np.array([1, 2], np.float32))
    model = with_constant_weights(core)
    assert [entry.name for entry in model.graph.input] == ["x"]
    assert answers(model, np.zeros(2, np.float32))[0].tolist() == [1, 2]


def test_leaf_scores_become_the_logit_of_what_the_route_leaves_of_one() -> None:
    leaves = np.array([[0.5, -0.3, *[9.0] * 6], [0.0] * 8, [-2.0] * 8], dtype=np.float32)
    route = np.array([[1, 1, 0, 0, 0, 0, 0, 0], [1] * 8, [0, 0, 0, 1, 0, 0, 0, 0]], dtype=np.float32)
    greatest = np.log((1 - LEAST_SPOOF) / LEAST_SPOOF)
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
