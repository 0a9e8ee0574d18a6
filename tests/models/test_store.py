"""The state of models in the store, and atomic writes."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from models import catalogue
from models import store as store_module
from models.card import Card
from models.errors import ModelError
from models.store import Store, atomic, scratch
from tests.models.cards import WEIGHTS, digest, made_card


@pytest.fixture
def card() -> Card:
    return made_card(exports=["first.onnx", "second.onnx"])


@pytest.fixture
def store(tmp_path: Path, card: Card) -> Store:
    """A store in which `card` is ready."""
    store = Store(tmp_path / "models")
    store.folder(card).mkdir(parents=True)
    (store.folder(card) / "weights.bin").write_bytes(WEIGHTS)
    for name in card.exports:
        (store.folder(card) / name).write_bytes(name.encode())
    store.finish(card)
    return store


def test_a_finished_model_is_ready(store: Store, card: Card) -> None:
    assert store.state(card) == "ready"
    assert store.exports(card) == [store.root / "made-up" / "first.onnx", store.root / "made-up" / "second.onnx"]
    assert store.whole(card) == store.root / "made-up"


def test_a_model_that_is_not_there_is_not_pulled(tmp_path: Path, card: Card) -> None:
    store = Store(tmp_path / "nowhere")
    assert store.state(card) == "not pulled"
    assert not store.root.exists()
    for needed in (store.exports, store.whole, store.check_presence):
        with pytest.raises(ModelError, match=r"made-up cannot be used, .*: run `facegraph models pull made-up`"):
            needed(card)


@pytest.mark.parametrize("damage", [b"", b"something else", None], ids=["emptied", "changed", "deleted"])
def test_a_damaged_file_is_named(store: Store, card: Card, damage: bytes | None) -> None:
    def damaged(name: str) -> None:
        path = store.folder(card) / name
        path.unlink() if damage is None else path.write_bytes(damage)

    damaged("second.onnx")
    assert store.problems(card) == ["second.onnx is missing or damaged"]
    assert store.state(card) == "weights only"
    with pytest.raises(ModelError, match=r"second.onnx is missing or damaged"):
        store.exports(card)
    store.folder(card).joinpath("second.onnx").write_bytes(b"second.onnx")
    damaged("weights.bin")
    assert store.problems(card) == ["weights.bin is missing or damaged"]
    assert store.state(card) == "not pulled"
    assert len(store.exports(card)) == 2, "damaged weights do not keep the exports from serving"


def test_an_export_of_another_card_or_exporter_is_not_ready(
    store: Store, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    for change in ({"preprocessing": "2"}, {"architecture": "other"}, {"exports": ("first.onnx",)}):
        assert store.state(card.model_copy(update=change)) == "weights only"
    other = card.files[0].model_copy(update={"sha256": digest(b"other")})
    assert store.state(card.model_copy(update={"files": (other,)})) == "not pulled"
    monkeypatch.setattr(store_module, "EXPORTER_VERSION", "the next one")
    assert store.problems(card) == ["it was pulled for a different version of its card"]


def test_an_export_by_other_ranges_is_not_ready(store: Store, card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "CARDS", store.root.parent)
    int8 = card.model_copy(update={"int8": "second.onnx"})
    catalogue.ranges_path(int8).write_text('{"x": [0.0, 1.0]}')
    assert store.state(int8) == "weights only"
    store.finish(int8)
    assert (store.state(int8), store.state(card)) == ("ready", "weights only")
    catalogue.ranges_path(int8).write_text('{"x": [0.0, 2.0]}')
    assert store.state(int8) == "weights only"
    store.finish(int8)
    assert store.state(int8) == "ready"
    catalogue.ranges_path(int8).unlink()
    assert store.state(int8) == "weights only"


@pytest.mark.parametrize("manifest", [b"", b"[]", b"{}", b"\xff\xfe\x00"])
def test_a_broken_manifest_counts_as_none(store: Store, card: Card, manifest: bytes) -> None:
    (store.folder(card) / "manifest.json").write_bytes(manifest)
    assert store.state(card) == "weights only"


def test_finishing_without_an_export_leaves_no_manifest(store: Store, card: Card) -> None:
    (store.folder(card) / "manifest.json").unlink()
    (store.folder(card) / "second.onnx").unlink()
    with pytest.raises(FileNotFoundError):
        store.finish(card)
    assert sorted(path.name for path in store.folder(card).iterdir()) == ["first.onnx", "weights.bin"]


def test_an_atomic_write_puts_a_whole_file_in_place(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file"
    with atomic(target) as unfinished:
        unfinished.write_bytes(b"first half, ")
        assert not target.exists()
        unfinished.write_bytes(b"both halves")
    assert target.read_bytes() == b"both halves"
    assert list(target.parent.iterdir()) == [target]


def interrupted(block: AbstractContextManager[Path], work: Callable[[Path], object]) -> None:
    with block as path:
        work(path)
        raise KeyboardInterrupt


def test_an_interruption_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        interrupted(atomic(tmp_path / "old"), lambda path: path.write_bytes(b"half"))
    with pytest.raises(KeyboardInterrupt):
        interrupted(atomic(tmp_path / "new"), lambda path: path.write_bytes(b"half"))
    with pytest.raises(KeyboardInterrupt):
        interrupted(scratch(tmp_path), lambda path: (path / "file").write_bytes(b"x"))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"old": b"old"}


def test_a_scratch_folder_is_gone_after_its_block(tmp_path: Path) -> None:
    with scratch(tmp_path / "root") as folder:
        (folder / "file").write_bytes(b"x")
        assert folder.parent == tmp_path / "root"
    assert list((tmp_path / "root").iterdir()) == []
