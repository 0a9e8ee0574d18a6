"""docs/models.md adds a network, which then answers as it came: done here with a made-up one."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from models.architectures import onnx_file
from models.card import Card
from models.device import Device
from models.engines import load_network
from models.pull import configured_in
from models.store import Store
from tests.conftest import PROJECT
from tests.docs.snippets import run
from tests.own_networks import colour_network

MATRIX = np.random.default_rng(0).normal(size=(3, 64)).astype(np.float32)


def test_the_example_is_a_network_that_answers_as_it_came(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_STORE", str(tmp_path / "data" / "models"))
    config = PROJECT / "configs" / "serve.yaml"
    files: dict[str, bytes | Path] = {
        "configs/serve.yaml": config.read_bytes(),
        "data/cards/own.onnx": colour_network(MATRIX, 112),
        **{f"data/models/{pulled.name}": store.folder(pulled) for pulled in configured_in(config)},
    }
    run(PROJECT / "docs" / "models.md", "http://no.service", tmp_path, files)
    fields = tomllib.loads((tmp_path / "data" / "cards" / "own.toml").read_text("utf-8"))
    card, own_store = Card.model_validate({"name": "own", **fields}), Store(tmp_path / "data" / "models")

    crops = np.random.default_rng(1).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
    embedded = load_network(card, own_store, "onnx", Device())(crops)
    assert embedded.shape == (3, 64)
    np.testing.assert_allclose(np.linalg.norm(embedded, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(embedded, onnx_file.original(card, own_store.folder(card), Device())(crops), atol=1e-4)
