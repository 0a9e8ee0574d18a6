"""Processing put into ONNX graphs, on tiny networks written by hand."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from models.architectures import onnx_file
from models.card import Card
from models.catalogue import card
from models.device import Device
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
from models.onnx_session import OnnxNetwork
from tests.models.cards import made_card

Floats = NDArray[np.float32]


def written(graph: str, opset: int = OPSET) -> ModelProto:
    model: ModelProto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]>\n{graph}')
    return model


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
    core = written(f"core (float[{shape}] x) => (float[{shape}] y) {{ y = Identity (x) }}")
    model = with_crops_in(core, 4, Input(mean=mean, std=std, layout=layout, colours=colours))
    (entry,) = model.graph.input
    assert (entry.name, entry.type.tensor_type.elem_type) == ("crops", TensorProto.UINT8)
    photo = crops(3, 4)
    prepared = ((photo[..., ::-1] if colours == "bgr" else photo) - np.float32(mean)) / np.float32(std)
    expected = prepared.transpose(0, 3, 1, 2) if layout == "nchw" else prepared
    np.testing.assert_allclose(answer(model, photo), expected, atol=1e-5)


def test_a_grey_network_gets_one_channel() -> None:
    core = written("core (float[n, 1, 4, 4] x) => (float[n, 1, 4, 4] y) { y = Identity (x) }")
    photo = crops(3, 4)
    expected = cv2.cvtColor(photo.reshape(12, 4, 3), cv2.COLOR_RGB2GRAY).reshape(3, 1, 4, 4) / 255
    grey = Input(mean=0.0, std=255.0, layout="nchw", colours="grey")
    np.testing.assert_allclose(answer(with_crops_in(core, 4, grey), photo), expected, atol=0.003)


@pytest.mark.parametrize("shape", [(1, 2, 3, 3), (2, 5, 4, 3)])
def test_photos_of_any_size_come_in_as_bytes_and_reach_the_network_as_planes(shape: tuple[int, ...]) -> None:
    model = with_photos_in(written("core (float[n, 3, h, w] x) => (float[n, 3, h, w] y) { y = Identity (x) }"))
    photos = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.testing.assert_array_equal(answer(model, photos), photos.transpose(0, 3, 1, 2))


def test_weights_among_the_inputs_become_constant() -> None:
    core = written("core (float[n] x, float[n] w) => (float[n] y) { y = Add (x, w) }")
    core.graph.initializer.append(numpy_helper.from_array(np.array([1, 2], dtype=np.float32), "w"))
    model = with_constant_weights(core)
    assert [entry.name for entry in model.graph.input] == ["x"]
    np.testing.assert_array_equal(answer(model, np.zeros(2, dtype=np.float32)), [1, 2])


def test_embeddings_come_out_with_length_one() -> None:
    model = with_answer(
        written("core (float[n, 5] x) => (float[n, 5] y) { y = Identity (x) }"), made_card(output={"size": 5})
    )
    raw = floats(3, 5) * 100
    np.testing.assert_allclose(
        answer(model, raw), raw / np.linalg.norm(raw, axis=1, keepdims=True), rtol=1e-5, atol=1e-6
    )
    assert model.graph.output[0].name == "embedding"


def test_an_embedding_of_zeros_stays_a_number() -> None:
    model = with_answer(
        written("core (float[n, 5] x) => (float[n, 5] y) { y = Identity (x) }"), made_card(output={"size": 5})
    )
    assert (answer(model, np.zeros((2, 5), dtype=np.float32)) == 0).all()


@pytest.mark.parametrize("live_class", [0, 1, 2])
@pytest.mark.parametrize("scale", [1, 1000])
def test_class_logits_become_the_live_logit_which_does_not_saturate(live_class: int, scale: int) -> None:
    model = with_answer(written("core (float[n, 3] x) => (float[n, 3] y) { y = Identity (x) }"), liveness(live_class))
    logits = floats(4, 3) * scale
    others = np.delete(logits, live_class, axis=1).astype(np.float64)
    expected = logits[:, live_class] - np.logaddexp.reduce(others, axis=1)
    np.testing.assert_allclose(answer(model, logits), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("classes", "live_class"), [(2, 2), (1, 0)])
def test_a_live_class_that_the_network_does_not_have_is_refused(classes: int, live_class: int) -> None:
    core = written(f"core (float[n, {classes}] x) => (float[n, {classes}] y) {{ y = Identity (x) }}")
    with pytest.raises(ModelError, match=f"has {classes} classes, and the card's live_class is {live_class}"):
        with_answer(core, liveness(live_class))


def test_leaf_scores_become_the_logit_of_what_the_route_leaves_of_one() -> None:
    identities = "l = Identity (x) r = Identity (z)"
    core = written(f"core (float[n, 8] x, float[n, 8] z) => (float[n, 8] l, float[n, 8] r) {{ {identities} }}")
    leaves = np.array([[0.5, -0.3, *[9.0] * 6], [0.0] * 8, [-2.0] * 8], dtype=np.float32)
    route = np.array([[1, 1, 0, 0, 0, 0, 0, 0], [1] * 8, [0, 0, 0, 1, 0, 0, 0, 0]], dtype=np.float32)
    greatest = np.log((1 - LEAST_SPOOF) / LEAST_SPOOF)
    assert answer(with_leaf_logit(core), leaves, route) == pytest.approx([np.log(0.25), greatest, -greatest], abs=1e-3)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_batch_that_was_fixed_becomes_free(count: int) -> None:
    core = written(
        """core (float[2, 4] x) => (float[2, 4] y) <int64[3] into = {2, 2, 2}, int64[2] back = {2, -1}> {
            parts = Reshape (x, into)
            turned = Transpose <perm = [0, 2, 1]> (parts)
            y = Reshape (turned, back)
        }"""
    )
    rows = floats(count, 4)
    np.testing.assert_array_equal(answer(with_any_batch(core), rows), rows[:, [0, 2, 1, 3]])


def test_a_reshape_that_leads_with_another_number_is_left_alone() -> None:
    core = written(
        """core (float[2, 4] x) => (float[2, 4] y) <int64[2] all = {-1, 1}, int64[2] back = {-1, 4}> {
            column = Reshape (x, all)
            y = Reshape (column, back)
        }"""
    )
    rows = floats(3, 4)
    np.testing.assert_array_equal(answer(with_any_batch(core), rows), rows)


def test_an_older_file_gives_the_same_in_todays_operators() -> None:
    # Up to operator set 12 the axes of Squeeze were an attribute; they are an input now.
    old = written("core (float[n, 1, 4] x) => (float[n, 4] y) { y = Squeeze <axes = [1]> (x) }", opset=11)
    new = current(old)
    assert [(entry.domain, entry.version) for entry in new.opset_import] == [("", OPSET)]
    np.testing.assert_array_equal(answer(new, floats(3, 1, 4)), floats(3, 1, 4)[:, 0])


def small_arcface(batch: int | str) -> ModelProto:
    """A network of the operators of insightface's w600k_r50, as its exporter writes them, with random weights."""
    rng = np.random.default_rng(7)
    shapes = {
        "conv1.weight": (8, 3, 3, 3),
        "conv1.bias": (8,),
        "prelu.slope": (8, 1, 1),
        "conv2.weight": (8, 8, 3, 3),
        "down.weight": (8, 8, 1, 1),
        "fc.weight": (512, 8 * 7 * 7),
        "fc.bias": (512,),
        **{f"bn1.{part}": (8,) for part in ("scale", "bias", "mean", "var")},
        **{f"features.{part}": (512,) for part in ("scale", "bias", "mean", "var")},
    }
    weights = {name: (rng.normal(size=shape) * 0.2).astype(np.float32) for name, shape in shapes.items()}
    for name in ("bn1.var", "features.var"):
        weights[name] = np.abs(weights[name]) + 1

    def normalised(entry: str, name: str, out: str) -> onnx.NodeProto:
        parts = [f"{name}.{part}" for part in ("scale", "bias", "mean", "var")]
        return helper.make_node("BatchNormalization", [entry, *parts], [out], epsilon=1e-5, momentum=0.9)

    nodes = [
        helper.make_node("Conv", ["input.1", "conv1.weight", "conv1.bias"], ["1"], strides=[4, 4], pads=[1, 1, 1, 1]),
        helper.make_node("PRelu", ["1", "prelu.slope"], ["2"]),
        normalised("2", "bn1", "3"),
        helper.make_node("Conv", ["3", "conv2.weight"], ["4"], strides=[4, 4], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["2", "down.weight"], ["5"], strides=[4, 4]),
        helper.make_node("Add", ["4", "5"], ["6"]),
        helper.make_node("Flatten", ["6"], ["7"], axis=1),
        helper.make_node("Gemm", ["7", "fc.weight", "fc.bias"], ["8"], alpha=1.0, beta=1.0, transB=1),
        normalised("8", "features", "683"),
    ]
    graph = helper.make_graph(
        nodes,
        "torch-jit-export",
        [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [batch, 3, 112, 112])],
        [helper.make_tensor_value_info("683", TensorProto.FLOAT, [1, 512])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return helper.make_model(graph, ir_version=6, opset_imports=[helper.make_opsetid("", 11)])


@pytest.mark.parametrize("batch", [1, "None"], ids=["a batch of one", "any batch"])
def test_an_arcface_file_is_exported_to_what_the_file_itself_gives(tmp_path: Path, batch: int | str) -> None:
    entry = card("arcface-r50")
    onnx.save(small_arcface(batch), tmp_path / entry.files[0].name)
    onnx_file.export(entry, tmp_path)
    exported = OnnxNetwork(tmp_path / entry.exports[0], Device())
    original = onnx_file.original(entry, tmp_path, Device())
    for count in (1, 4):
        (embeddings,) = exported(crops(count, 112))
        assert embeddings.shape == (count, 512)
        assert embeddings.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
        np.testing.assert_allclose(embeddings, original(crops(count, 112)), atol=1e-5)
    assert np.abs(embeddings[0] - embeddings[1]).max() > 1e-3
