"""The store: what counts as whole, and that nothing is ever half there."""

from pathlib import Path

import pytest

from models import catalogue
from models import store as store_module
from models.card import Card
from models.errors import ModelError
from models.store import Store, atomic, matches, scratch, sha256_of
from tests.models.cards import WEIGHTS, digest, made_card


@pytest.fixture
def card() -> Card:
    return made_card(exports=["first.onnx", "second.onnx"])


@pytest.fixture
def store(tmp_path: Path, card: Card) -> Store:
    """A store with the card whole in it."""
    store = Store(tmp_path / "models")
    store.folder(card).mkdir(parents=True)
    (store.folder(card) / "weights.bin").write_bytes(WEIGHTS)
    for name in card.exports:
        (store.folder(card) / name).write_bytes(name.encode())
    store.finish(card)
    return store


def test_a_finished_model_is_ready(store: Store, card: Card) -> None:
    assert store.state(card) == "ready"
    assert store.problems(card) == []
    assert store.exports(card) == [store.root / "made-up" / "first.onnx", store.root / "made-up" / "second.onnx"]


def test_a_model_that_is_not_there_is_not_pulled(tmp_path: Path, card: Card) -> None:
    store = Store(tmp_path / "nowhere")
    assert store.state(card) == "not pulled"
    assert not store.root.exists()
    with pytest.raises(ModelError, match=r"run `facegraph models pull made-up`"):
        store.exports(card)


def test_weights_without_a_manifest_are_weights_only(store: Store, card: Card) -> None:
    (store.folder(card) / "manifest.json").unlink()
    assert store.state(card) == "weights only"
    with pytest.raises(ModelError, match="not pulled: run `facegraph models pull made-up`"):
        store.exports(card)


@pytest.mark.parametrize("damage", [b"", b"something else", None], ids=["emptied", "changed", "deleted"])
def test_a_damaged_export_is_named(store: Store, card: Card, damage: bytes | None) -> None:
    export = store.folder(card) / "second.onnx"
    export.unlink() if damage is None else export.write_bytes(damage)
    assert store.problems(card) == ["second.onnx is missing or damaged"]
    assert store.state(card) == "weights only"
    with pytest.raises(ModelError, match=r"made-up cannot be used, second.onnx is missing or damaged: run `facegraph"):
        store.exports(card)


def test_damaged_weights_are_named_and_the_exports_still_serve(store: Store, card: Card) -> None:
    (store.folder(card) / "weights.bin").write_bytes(b"something else")
    assert store.problems(card) == ["weights.bin is missing or damaged"]
    assert store.state(card) == "not pulled"
    assert len(store.exports(card)) == 2


def test_an_export_of_an_older_exporter_is_not_ready(store: Store, card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "EXPORTER_VERSION", "the next one")
    assert store.state(card) == "weights only"
    assert store.problems(card) == ["it was pulled for another version of its card"]


def test_an_export_of_another_card_is_not_ready(store: Store, card: Card) -> None:
    assert store.state(card.model_copy(update={"preprocessing": "2"})) == "weights only"
    assert store.state(card.model_copy(update={"architecture": "other"})) == "weights only"
    assert store.state(card.model_copy(update={"exports": ("first.onnx",)})) == "weights only"
    other = card.files[0].model_copy(update={"sha256": digest(b"other")})
    assert store.state(card.model_copy(update={"files": (other,)})) == "not pulled"


@pytest.fixture
def int8(store: Store, card: Card, monkeypatch: pytest.MonkeyPatch) -> Card:
    """The same card with its second export in integers, whole in the store, and its ranges beside it."""
    monkeypatch.setattr(catalogue, "CARDS", store.root.parent)
    entry = card.model_copy(update={"int8": "second.onnx"})
    catalogue.ranges_path(entry).write_text('{"x": [0.0, 1.0]}')
    store.finish(entry)
    return entry


def test_an_export_by_other_ranges_is_not_ready(store: Store, card: Card, int8: Card) -> None:
    assert store.state(int8) == "ready"
    assert store.state(card) == "weights only", "without integers it is another card"
    catalogue.ranges_path(int8).write_text('{"x": [0.0, 2.0]}')
    assert store.state(int8) == "weights only"
    with pytest.raises(ModelError, match=r"it was pulled for another version of its card: run `facegraph models pull"):
        store.exports(int8)
    store.finish(int8)
    assert store.state(int8) == "ready"


def test_a_model_whose_ranges_are_gone_is_not_ready(store: Store, int8: Card) -> None:
    catalogue.ranges_path(int8).unlink()
    assert store.problems(int8) == ["it was pulled for another version of its card"]


@pytest.mark.parametrize("manifest", [b"", b"{", b"[]", b'"text"', b"{}", b"\xff\xfe\x00"])
def test_a_broken_manifest_is_as_good_as_none(store: Store, card: Card, manifest: bytes) -> None:
    (store.folder(card) / "manifest.json").write_bytes(manifest)
    assert store.state(card) == "weights only"


def test_finishing_without_an_export_leaves_no_manifest(store: Store, card: Card) -> None:
    (store.folder(card) / "manifest.json").unlink()
    (store.folder(card) / "second.onnx").unlink()
    with pytest.raises(FileNotFoundError):
        store.finish(card)
    assert store.state(card) == "weights only"
    assert sorted(path.name for path in store.folder(card).iterdir()) == ["first.onnx", "weights.bin"]


def test_a_file_is_known_by_its_hash(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(WEIGHTS)
    assert sha256_of(file) == digest(WEIGHTS)
    assert matches(file, digest(WEIGHTS))
    assert not matches(file, digest(b"other"))
    assert not matches(tmp_path / "nowhere", digest(WEIGHTS))
    assert not matches(tmp_path, digest(WEIGHTS))


def test_an_atomic_write_puts_a_whole_file_in_place(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file"
    with atomic(target) as unfinished:
        unfinished.write_bytes(b"first half, ")
        assert not target.exists()
        unfinished.write_bytes(b"both halves")
    assert target.read_bytes() == b"both halves"
    assert list(target.parent.iterdir()) == [target]


def interrupted_write(target: Path) -> None:
    with atomic(target) as unfinished:
        unfinished.write_bytes(b"half")
        raise KeyboardInterrupt


def interrupted_scratch(root: Path) -> None:
    with scratch(root) as folder:
        (folder / "file").write_bytes(b"x")
        raise KeyboardInterrupt


@pytest.mark.parametrize("before", [None, b"the old file"])
def test_an_interrupted_write_leaves_what_was_there(tmp_path: Path, before: bytes | None) -> None:
    target = tmp_path / "file"
    if before is not None:
        target.write_bytes(before)
    with pytest.raises(KeyboardInterrupt):
        interrupted_write(target)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == ({"file": before} if before else {})


def test_a_scratch_folder_is_gone_after_its_block(tmp_path: Path) -> None:
    with scratch(tmp_path / "root") as folder:
        (folder / "file").write_bytes(b"x")
        assert folder.parent == tmp_path / "root"
    assert list((tmp_path / "root").iterdir()) == []


def test_a_scratch_folder_is_gone_after_an_interruption(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted_scratch(tmp_path)
    assert list(tmp_path.iterdir()) == []
