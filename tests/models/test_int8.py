"""Networks in 8-bit integers: their ranges, and their accuracy compared with floats."""

import os
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, numpy_helper

from evaluation.verification import Curve, curve
from imaging.decode import Limits
from models import catalogue
from models.card import Card
from models.catalogue import card
from models.detection import PhotoDetector
from models.device import Device
from models.engines import load_detector
from models.errors import ModelError
from models.export import write_exports
from models.int8 import Ranges, measure_ranges, quantised, read_ranges, without_overflow, write_ranges
from models.onnx_session import OnnxNetwork
from models.store import Store
from tests.conftest import shared
from tests.models.cards import made_card
from tests.models.graphs import written

FACENET = card("facenet")
SIDE = 8
EXPORTS = ["embedder.onnx", "embedder.int8.onnx"]
INT8 = made_card(exports=EXPORTS, int8=EXPORTS[1], crops=[{"size": SIDE, "fit": "box"}], output={"size": 4})
SHAPES = {"wide": (8, 3, 3, 3), "narrow": (4, 8, 1, 1), "last": (4, 12, 1, 1)}
"""Shapes of the weights."""
CROPS = np.random.default_rng(2).integers(0, 256, (16, SIDE, SIDE, 3), dtype=np.uint8)
AROUND_CONVOLUTIONS = {"prepared", "first", "positive", "second", "both", "third"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replaces the folder of the cards."""
    monkeypatch.setattr(catalogue, "CARDS", tmp_path)
    return tmp_path


def small_network() -> ModelProto:
    """Two convolutions over crops, one over both results, and its mean: (n, 4)."""
    rng = np.random.default_rng(2)
    weights = {name: rng.normal(size=shape) / np.sqrt(np.prod(shape[1:])) for name, shape in SHAPES.items()}
    constants = {**weights, "bias": rng.normal(size=8), "scale": np.array(1 / 255)}
    return written(
        f"""core (uint8[n, {SIDE}, {SIDE}, 3] crops) => (float[n, 4] y) {{
            pixels = Cast <to = 1> (crops)
            shares = Mul (pixels, scale)
            prepared = Transpose <perm = [0, 3, 1, 2]> (shares)
            first = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (prepared, wide, bias)
            positive = Relu (first)
            second = Conv <kernel_shape = [1, 1]> (positive, narrow)
            rest = Relu (second)
            both = Concat <axis = 1> (positive, rest)
            third = Conv <kernel_shape = [1, 1]> (both, last)
            means = GlobalAveragePool (third)
            y = Flatten (means)
        }}""",
        **{name: np.asarray(array, np.float32) for name, array in constants.items()},
    )


def test_ranges_are_kept_beside_their_card_to_four_digits(folder: Path) -> None:
    with pytest.raises(ModelError, match="ranges of made-up are missing: measure them with `facegraph models ranges`"):
        read_ranges(INT8)
    write_ranges(INT8, {"a": (0.0, 8.39349), "b/c": (-12345.6, 10.0), 'a "quoted" name': (-1e-07, 0.00012344)})
    [file] = folder.iterdir()
    text = '{\n"a": [0.0, 8.393],\n"b/c": [-12350.0, 10.0],\n"a \\"quoted\\" name": [-1e-07, 0.0001234]\n}\n'
    assert (file.name, file.read_text("utf-8")) == ("made-up.ranges.json", text)
    write_ranges(INT8, read_ranges(INT8))
    assert file.read_text("utf-8") == text


def test_ranges_of_another_graph_are_refused() -> None:
    with pytest.raises(ModelError, match="no range is known for positive"):
        quantised(small_network(), dict.fromkeys(AROUND_CONVOLUTIONS - {"positive"} | {"other"}, (0.0, 1.0)))


def test_ranges_are_the_extremes_around_each_convolution(tmp_path: Path) -> None:
    model, path = small_network(), tmp_path / "floats.onnx"
    onnx.save(model, path)
    os.utime(tmp_path, ns=(0, 0))
    ranges = measure_ranges(path, CROPS)
    # Even a temporary file beside the network would have changed the folder's time.
    assert tmp_path.stat().st_mtime_ns == 0
    assert set(ranges) == AROUND_CONVOLUTIONS
    # The same graph with these tensors as outputs.
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in ranges)
    values = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"crops": CROPS})
    assert [*ranges.values()] == [pytest.approx((value.min(), value.max()), abs=1e-5) for value in values]


def test_convolutions_and_the_operators_between_them_are_quantised() -> None:
    ranges: Ranges = {name: (-1.0, place + 1.0) for place, name in enumerate(sorted(AROUND_CONVOLUTIONS))}
    integers = quantised(small_network(), ranges)
    operators = [node.op_type for node in integers.graph.node]
    # Unsigned integers cannot be negative, so they make each Relu redundant.
    assert operators.count("QuantizeLinear") == len(AROUND_CONVOLUTIONS | {"rest"}) - len({"first", "second"})
    assert "Relu" not in operators
    constants = {entry.name: entry for entry in integers.graph.initializer}
    for name, (channels, *_) in SHAPES.items():
        assert name not in constants
        assert constants[f"{name}_quantized"].data_type == TensorProto.INT8
        assert list(constants[f"{name}_scale"].dims) == [channels]
    together = {numpy_helper.to_array(constants[f"{name}_scale"]).item() for name in ("positive", "rest", "both")}
    assert len(together) == 1


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 3), st.integers(1, 3)),
        elements=st.floats(-100, 100, width=32),
    )
)
def test_the_sum_of_two_neighbouring_products_fits_into_16_bits(weights: NDArray[np.float32]) -> None:
    most = without_overflow(weights)
    assert (most >= np.abs(weights).max(axis=(1, 2, 3))).all()
    rounded = np.round(weights / (most / 127)[:, None, None, None]).transpose(0, 2, 3, 1).reshape(len(weights), -1)
    for row in rounded:
        positive, negative = (
            [sum(max(sign * value, 0) for value in row[at : at + 2]) for at in range(0, len(row), 2)]
            for sign in (1, -1)
        )
        assert max(positive + negative) * 255 < 2**15


def test_an_export_writes_the_integers_by_the_ranges_of_its_card(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def export_floats(entry: Card, into: Path) -> None:
        onnx.save(small_network(), into / entry.exports[0])

    module = ModuleType("models.architectures.made_up")
    monkeypatch.setattr(module, "export", export_floats, raising=False)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    ranges: Ranges = dict.fromkeys(AROUND_CONVOLUTIONS, (-8.0, 8.0))
    write_ranges(INT8, ranges)
    write_exports(INT8, folder)
    assert onnx.load(folder / INT8.exports[0]) == small_network()
    assert onnx.load(folder / INT8.exports[1]) == quantised(small_network(), ranges)


@pytest.mark.parametrize(
    ("folder", "least", "lost", "missed"), [("photos", 0.99, 0.002, 0.01), ("lfw50", 0.98, 0.003, 0.04)]
)
def test_people_are_told_apart_as_well_as_in_floats(
    store: Store, sample_photos: Path, folder: str, least: float, lost: float, missed: float
) -> None:
    """On sample photos that the ranges were not measured on, and on tight grey crops.

    Embeddings of both precisions can be compared with one another, so they share an embedding contract.
    """
    root, half = (sample_photos, slice(1, None, 2)) if folder == "photos" else (shared(f"faces/{folder}"), slice(50))
    detect = PhotoDetector(load_detector(card("mtcnn"), store, "onnx", Device(), {}), Limits())
    [spec] = FACENET.crops
    paths = sorted(root.glob("*/*.jpg"))[half]
    faces = [(path.parent.name, detect.one(path.read_bytes(), [spec]).crops[spec]) for path in paths]
    names = np.array([name for name, crops in faces if len(crops)])
    crops = np.concatenate([crops[:1] for _, crops in faces])
    floats, integers = (
        np.concatenate([network(batch)[0] for batch in np.array_split(crops, len(crops) // 8)])
        for network in (OnnxNetwork(path, Device()) for path in store.exports(FACENET))
    )
    cosines = (floats * integers).sum(axis=1)
    assert len(cosines) >= 45
    assert least <= cosines.min() <= cosines.max() < 1 - 1e-5
    same = names[:, None] == names

    def compared(enrolled: NDArray[np.float32], probes: NDArray[np.float32]) -> Curve:
        """The curve of each photo compared with all others."""
        similarities = (enrolled @ probes.T).astype(np.float64)
        return curve(similarities[same & ~np.eye(len(same), dtype=bool)], similarities[~same])

    before = compared(floats, floats)
    for enrolled in (integers, floats):
        after = compared(enrolled, integers)
        assert before.area() - after.area() <= lost
        assert after.at_fmr(1e-2).fnmr <= before.at_fmr(1e-2).fnmr + missed
