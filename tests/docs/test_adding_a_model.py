"""docs/models.md adds two networks, which then answer as their files do: done here with made-up ones."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.card import Card
from models.device import Device
from models.engines import load_network
from models.originals.onnx_file import original
from models.pull import configured_in
from models.store import Store
from project.root import ROOT
from tests.default_configuration import CONFIG
from tests.docs.snippets import run
from tests.own_networks import colour_network

Floats = NDArray[np.float32]
MATRIX = np.random.default_rng(0).normal(size=(3, 64)).astype(np.float32)


def test_the_examples_answer_as_their_files_do(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_STORE", str(tmp_path / "data" / "models"))
    files: dict[str, bytes | Path] = {
        "configs/serve.yaml": CONFIG.read_bytes(),
        "data/cards/own.onnx": colour_network(MATRIX, 112),
        "data/cards/own-live.onnx": colour_network(MATRIX[:, :3], 80),
        **{f"data/models/{pulled.name}": store.folder(pulled) for pulled in configured_in(CONFIG)},
    }
    run(ROOT / "docs" / "models.md", "http://no.service", tmp_path, files)
    embedded, expected = answers(tmp_path, "own")
    assert embedded.shape == (3, 64)
    np.testing.assert_allclose(np.linalg.norm(embedded, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(embedded, expected, atol=1e-4)
    live, logits = answers(tmp_path, "own-live")
    np.testing.assert_allclose(live, 1 / (1 + np.exp(-logits)), atol=1e-4)


def answers(folder: Path, name: str) -> tuple[Floats, Floats]:
    """The answers of an added network for noise, and those of its original file."""
    fields = tomllib.loads((folder / "data" / "cards" / f"{name}.toml").read_text("utf-8"))
    card, store = Card.model_validate({"name": name, **fields}), Store(folder / "data" / "models")
    side = card.crops[0].size
    crops = np.random.default_rng(1).integers(0, 256, (3, side, side, 3), dtype=np.uint8)
    return load_network(card, store, "onnx", Device())(crops), original(card, store.folder(card), Device())(crops)
