"""The process of an export says why a network does not fit its card."""

from pathlib import Path

import pytest

from models.catalogue import cards
from models.errors import ModelError
from models.export import export
from models.store import Store
from tests import own_networks


def test_a_network_that_does_not_fit_its_card_is_named_and_leaves_only_its_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_networks.write(tmp_path / "cards")
    path = tmp_path / "cards" / "own-embedder.toml"
    path.write_text(path.read_text("utf-8").replace("size = 64", "size = 65"), "utf-8")
    monkeypatch.setenv("MODEL_CARDS", str(path.parent))
    card, store = cards.__wrapped__()["own-embedder"], Store(tmp_path / "models")
    store.folder(card).mkdir(parents=True)
    path.with_suffix(".onnx").rename(store.folder(card) / "own-embedder.onnx")
    problem = "the card's output.size is 65, but the network returns 64 numbers"
    with pytest.raises(ModelError, match=f"^the model own-embedder cannot be exported: {problem}$"):
        export(card, store)
    assert [path.name for path in store.root.rglob("*")] == ["own-embedder", "own-embedder.onnx"]
