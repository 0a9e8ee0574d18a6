"""docs/models.md adds a network, which then answers as it came: done here with a made-up one, in a copy of the room."""

import os
import tomllib
from pathlib import Path

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
import pytest

from models.architectures import onnx_file
from models.card import Card
from models.device import Device
from models.engines import load_network
from models.pull import configured_in
from models.store import Store
from tests.conftest import PROJECT
from tests.docs.snippets import run


def weights() -> bytes:
    """A network from the mean colour of a face in planes, pixels from 0 to 1, to 64 numbers."""
    node, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    matrix = np.random.default_rng(0).normal(size=(3, 64)).astype(np.float32)
    graph = onnx.helper.make_graph(
        [
            node("GlobalAveragePool", ["pixels"], ["means"]),
            node("Flatten", ["means"], ["colour"]),
            node("MatMul", ["colour", "matrix"], ["numbers"]),
        ],
        "own",
        [info("pixels", onnx.TensorProto.FLOAT, [1, 3, 112, 112])],
        [info("numbers", onnx.TensorProto.FLOAT, [1, 64])],
        [onnx.numpy_helper.from_array(matrix, "matrix")],
    )
    opset = onnx.helper.make_opsetid("", 17)
    return bytes(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString())


@pytest.fixture
def room(store: Store) -> dict[str, bytes | Path]:
    """A copy of the room of models, in which a card can be written, and the networks that are pulled."""
    sources = [*(PROJECT / "models").rglob("*.py"), *(PROJECT / "models" / "cards").iterdir()]
    copied: dict[str, bytes | Path] = {str(path.relative_to(PROJECT)): path.read_bytes() for path in sources}
    pulled = {f"data/models/{card.name}": store.folder(card) for card in configured_in(PROJECT / "configs/serve.yaml")}
    configuration = {"configs/serve.yaml": (PROJECT / "configs" / "serve.yaml").read_bytes()}
    return {**copied, **pulled, **configuration, "weights/own.onnx": weights()}


def test_the_example_is_a_network_that_answers_as_it_came(
    tmp_path: Path, room: dict[str, bytes | Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), str(PROJECT))))
    run(PROJECT / "docs" / "models.md", "http://no.service", tmp_path, room)

    fields = tomllib.loads((tmp_path / "models" / "cards" / "own.toml").read_text("utf-8"))
    card, store = Card.model_validate({"name": "own", **fields}), Store(tmp_path / "data" / "models")

    crops = np.random.default_rng(1).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
    embedded = load_network(card, store, "onnx", Device())(crops)
    assert embedded.shape == (3, 64)
    np.testing.assert_allclose(np.linalg.norm(embedded, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(embedded, onnx_file.original(card, store.folder(card), Device())(crops), atol=1e-4)
