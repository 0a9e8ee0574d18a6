"""Pre- and postprocessing in ONNX graphs, on tiny networks."""

from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, numpy_helper

from models.card import Card
from models.errors import ModelError
from models.input import Input
from models.onnx_graph import (
    LEAST_SPOOF,
    OPSET,
    current,
    with_answer,
    with_any_batch,
    with_constant_weights,
    with_crops_in,
    with_leaf_logit,
    with_photos_in,
)
from tests.models.cards import made_card

Floats = NDArray[np.float32]


def written(graph: str, opset: int = OPSET) -> ModelProto:
    model: ModelProto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]>\n{graph}')
    return model


def identity(shape: str) -> ModelProto:
    return written(f"core (float[{shape}] x) => (float[{shape}] y) {{ y = Identity (x) }}")


def answer(model: ModelProto, *arrays: NDArray[np.generic]) -> Floats:
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    return np.asarray(session.run(None, dict(zip(names, arrays, strict=True)))[0], dtype=np.float32)


def liveness(live_class: int) -> Card:
    threshold = {"metric": "live", "value": 0.5, "measured_on": "nothing"}
    return made_card(task="liveness", output={"live_class": live_class}, thresholds=[threshold])


def crops(count: int, size: int) -> NDArray[np.uint8]:
    return np.random.default_rng(count).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def floats(*shape: int) -> Floats:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("layout", ["nhwc", "nchw"])
@pytest.mark.parametrize(("mean", "std"), [(127.5, 128.0), ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))])
@pytest.mark.parametrize("colours", ["rgb", "bgr"])
def test_crops_come_in_as_bytes_and_reach_the_network_prepared(layout: Any, mean: Any, std: Any, colours: Any) -> None:
    shape = "n, 4, 4, 3" if layout == "nhwc" else "n, 3, 4, 4"
    model = with_crops_in(identity(shape), 4, Input(mean=mean, std=std, layout=layout, colours=colours))
    (entry,) = model.graph.input
    assert (entry.name, entry.type.tensor_type.elem_type) == ("crops", TensorProto.UINT8)
    photo = crops(3, 4)
    prepared = ((photo[..., ::-1] if colours == "bgr" else photo) - np.float32(mean)) / np.float32(std)
    expected = prepared.transpose(0, 3, 1, 2) if layout == "nchw" else prepared
    np.testing.assert_allclose(answer(model, photo), expected, atol=1e-5)


def test_a_grey_network_gets_one_channel() -> None:
    photo = crops(3, 4)
    expected = cv2.cvtColor(photo.reshape(12, 4, 3), cv2.COLOR_RGB2GRAY).reshape(3, 1, 4, 4) / 255
    grey = Input(mean=0.0, std=255.0, layout="nchw", colours="grey")
    np.testing.assert_allclose(answer(with_crops_in(identity("n, 1, 4, 4"), 4, grey), photo), expected, atol=0.003)


@pytest.mark.parametrize("shape", [(1, 2, 3, 3), (2, 5, 4, 3)])
def test_photos_of_any_size_come_in_as_bytes_and_reach_the_network_as_planes(shape: tuple[int, ...]) -> None:
    model = with_photos_in(identity("n, 3, h, w"))
    photos = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.testing.assert_array_equal(answer(model, photos), photos.transpose(0, 3, 1, 2))


def test_weights_among_the_inputs_become_constant() -> None:
    core = written("core (float[n] x, float[n] w) => (float[n] y) { y = Add (x, w) }")
    core.graph.initializer.append(numpy_helper.from_array(np.array([1, 2], dtype=np.float32), "w"))
    model = with_constant_weights(core)
    assert [entry.name for entry in model.graph.input] == ["x"]
    np.testing.assert_array_equal(answer(model, np.zeros(2, dtype=np.float32)), [1, 2])


def test_embeddings_come_out_with_length_one_and_zeros_as_zeros() -> None:
    model = with_answer(identity("n, 5"), made_card(output={"size": 5}))
    raw = np.vstack([floats(3, 5) * 100, np.zeros(5, np.float32)])
    expected = raw / np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-12)
    np.testing.assert_allclose(answer(model, raw), expected, rtol=1e-5, atol=1e-6)
    assert model.graph.output[0].name == "embedding"


@pytest.mark.parametrize("live_class", [0, 1, 2])
def test_class_logits_become_the_live_logit_which_does_not_saturate(live_class: int) -> None:
    logits = floats(4, 3) * np.array([[1], [10], [100], [1000]], np.float32)
    others = np.delete(logits, live_class, axis=1).astype(np.float64)
    expected = logits[:, live_class] - np.logaddexp.reduce(others, axis=1)
    model = with_answer(identity("n, 3"), liveness(live_class))
    np.testing.assert_allclose(answer(model, logits), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("classes", "live_class"), [(2, 2), (1, 0)])
def test_a_live_class_that_the_network_does_not_have_is_refused(classes: int, live_class: int) -> None:
    with pytest.raises(ModelError, match=f"has {classes} classes, but the card's live_class is {live_class}"):
        with_answer(identity(f"n, {classes}"), liveness(live_class))


def test_leaf_scores_become_the_logit_of_what_the_route_leaves_of_one() -> None:
    identities = "l = Identity (x) r = Identity (z)"
    core = written(f"core (float[n, 8] x, float[n, 8] z) => (float[n, 8] l, float[n, 8] r) {{ {identities} }}")
    leaves = np.array([[0.5, -0.3, *[9.0] * 6], [0.0] * 8, [-2.0] * 8], dtype=np.float32)
    route = np.array([[1, 1, 0, 0, 0, 0, 0, 0], [1] * 8, [0, 0, 0, 1, 0, 0, 0, 0]], dtype=np.float32)
    greatest = np.log((1 - LEAST_SPOOF) / LEAST_SPOOF)
    assert answer(with_leaf_logit(core), leaves, route) == pytest.approx([np.log(0.25), greatest, -greatest], abs=1e-3)


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
        }"""
    )
    core.graph.initializer.append(numpy_helper.from_array(np.array([-1, 4]), "rows"))
    rows = floats(count, 4)
    np.testing.assert_array_equal(answer(with_any_batch(core), rows), rows[:, [0, 2, 1, 3]])


def test_an_older_file_gives_the_same_in_todays_operators() -> None:
    # Since operator set 13, the axes of Squeeze are an input instead of an attribute.
    old = written("core (float[n, 1, 4] x) => (float[n, 4] y) { y = Squeeze <axes = [1]> (x) }", opset=11)
    new = current(old)
    assert [(entry.domain, entry.version) for entry in new.opset_import] == [("", OPSET)]
    np.testing.assert_array_equal(answer(new, floats(3, 1, 4)), floats(3, 1, 4)[:, 0])
