"""The state of models in the store."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from imaging.crops import CropSpec
from models import catalogue
from models import store as store_module
from models.errors import ModelError
from models.store import Store, scratch
from models.tasks.embedder import EmbedderOutput
from models.tasks.liveness import LivenessOutput
from tests.models.cards import WEIGHTS, digest, made_card

CARD = made_card(exports=["first.onnx", "second.onnx"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of `CARD`, which is ready."""
    folder = tmp_path / "models" / "made-up"
    folder.mkdir(parents=True)
    (folder / "weights.bin").write_bytes(WEIGHTS)
    for name in CARD.exports:
        (folder / name).write_bytes(name.encode())
    Store(folder.parent).finish(CARD)
    return folder


@pytest.fixture
def store(folder: Path) -> Store:
    return Store(folder.parent)


def test_a_finished_model_is_ready(store: Store, folder: Path) -> None:
    assert store.state(CARD) == "ready"
    assert store.exports(CARD) == [folder / "first.onnx", folder / "second.onnx"]
    assert store.whole(CARD) == folder


def test_a_model_that_is_not_there_is_not_pulled(tmp_path: Path) -> None:
    store = Store(tmp_path / "nowhere")
    assert store.state(CARD) == "not pulled"
    assert not store.root.exists()
    for needed in (store.exports, store.whole, store.check_presence):
        with pytest.raises(ModelError, match=f"made-up cannot be used .*: run `{store.pull_command('made-up')}`"):
            needed(CARD)


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"changed"), Path.unlink])
def test_a_damaged_file_is_named(store: Store, folder: Path, damage: Callable[[Path], object]) -> None:
    damage(folder / "second.onnx")
    assert store.problems(CARD) == ["second.onnx is missing or damaged"]
    assert store.state(CARD) == "weights only"
    with pytest.raises(ModelError, match=r"second.onnx is missing or damaged"):
        store.exports(CARD)
    (folder / "second.onnx").write_bytes(b"second.onnx")
    damage(folder / "weights.bin")
    assert store.problems(CARD) == ["weights.bin is missing or damaged"]
    assert store.state(CARD) == "not pulled"
    assert len(store.exports(CARD)) == 2, "damaged weights do not keep the exports from serving"


def test_an_export_of_another_card_or_exporter_is_not_ready(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for change in ({"preprocessing_version": "2"}, {"architecture": "other"}, {"exports": ("first.onnx",)}):
        assert store.state(CARD.model_copy(update=change)) == "weights only"
    for field, value in (("output", EmbedderOutput(size=9)), ("crops", (CropSpec(size=9, fit="box"),))):
        [problem] = store.problems(CARD.model_copy(update={field: value}))
        assert problem == "its card's crops or output length have changed since it was pulled"
    other = CARD.files[0].model_copy(update={"sha256": digest(b"other")})
    assert store.state(CARD.model_copy(update={"files": (other,)})) == "not pulled"
    monkeypatch.setattr(store_module, "EXPORTER_VERSION", "the next one")
    assert store.problems(CARD) == ["it was pulled for a different version of its card"]


def test_only_a_changed_live_class_and_not_a_changed_shift_needs_a_new_export(store: Store) -> None:
    card = CARD.model_copy(update={"task": "liveness", "output": LivenessOutput(live_class=0)})
    store.finish(card)
    assert store.state(card.model_copy(update={"output": LivenessOutput(live_class=0, shift=1)})) == "ready"
    assert store.state(card.model_copy(update={"output": LivenessOutput(live_class=1)})) == "weights only"


def test_an_export_by_other_ranges_is_not_ready(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "CARDS", tmp_path)
    int8 = CARD.model_copy(update={"int8": "second.onnx"})
    for ranges in ('{"x": [0.0, 1.0]}', '{"x": [0.0, 2.0]}'):
        catalogue.ranges_path(int8).write_text(ranges)
        assert store.state(int8) == "weights only"
        store.finish(int8)
        assert (store.state(int8), store.state(CARD)) == ("ready", "weights only")
    catalogue.ranges_path(int8).unlink()
    assert store.state(int8) == "weights only"


@pytest.mark.parametrize("manifest", [b"", b"[]", b"{}", b"\xff\xfe\x00"])
def test_a_broken_manifest_counts_as_none(store: Store, folder: Path, manifest: bytes) -> None:
    (folder / "manifest.json").write_bytes(manifest)
    assert store.state(CARD) == "weights only"


def test_finishing_without_an_export_leaves_no_manifest(store: Store, folder: Path) -> None:
    (folder / "manifest.json").unlink()
    (folder / "second.onnx").unlink()
    with pytest.raises(FileNotFoundError):
        store.finish(CARD)
    assert sorted(path.name for path in folder.iterdir()) == ["first.onnx", "weights.bin"]


def test_a_scratch_folder_is_gone_after_its_block_and_an_interruption(tmp_path: Path) -> None:
    with suppress(KeyboardInterrupt), scratch(tmp_path / "root") as folder:
        (folder / "file").write_bytes(b"x")
        assert folder.parent == tmp_path / "root"
        raise KeyboardInterrupt
    assert list((tmp_path / "root").iterdir()) == []


def test_the_command_that_pulls_names_a_store_that_is_not_the_chosen_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Store(tmp_path).pull_command("a", "b") == f"facegraph models pull a b --store {tmp_path}"
    monkeypatch.setenv("MODEL_STORE", str(tmp_path))
    assert Store(tmp_path).pull_command("a", "b") == "facegraph models pull a b"
