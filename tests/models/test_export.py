"""Exporting in a process of its own, with the small BlazeFace as the example."""

import shutil
from pathlib import Path

import pytest

from models.catalogue import card
from models.errors import ModelError
from models.export import export
from models.store import Store

CARD = card("mediapipe-full-range")
WEIGHTS, EXPORT = CARD.files[0].name, CARD.exports[0]


@pytest.fixture(scope="module")
def exported(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store in which BlazeFace was just exported."""
    new = Store(tmp_path_factory.mktemp("models"))
    new.folder(CARD).mkdir()
    shutil.copy(store.folder(CARD) / WEIGHTS, new.folder(CARD) / WEIGHTS)
    export(CARD, new)
    return new


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_export_makes_a_model_ready(exported: Store) -> None:
    assert exported.state(CARD) == "ready"
    assert exported.exports(CARD)[0].read_bytes()[4:8] == b"TFL3"


def test_an_export_leaves_nothing_else_behind(exported: Store) -> None:
    assert names(exported.root) == [CARD.name]
    assert names(exported.folder(CARD)) == sorted([WEIGHTS, EXPORT, "manifest.json"])
    assert not (exported.folder(CARD) / WEIGHTS).is_symlink()


def test_an_export_that_fails_leaves_its_log_and_no_half_model(exported: Store, tmp_path: Path) -> None:
    store = Store(tmp_path / "models")
    shutil.copytree(exported.folder(CARD), store.folder(CARD))
    whole = (store.folder(CARD) / EXPORT).read_bytes()
    (store.folder(CARD) / "manifest.json").unlink()
    (store.folder(CARD) / WEIGHTS).write_bytes(b"no network")
    with pytest.raises(ModelError) as caught:
        export(CARD, store)
    log = store.folder(CARD) / "export.log"
    assert str(caught.value) == f"the export of {CARD.name} failed: see {log}"
    assert "Traceback" in log.read_text()
    assert (store.folder(CARD) / EXPORT).read_bytes() == whole
    assert names(store.folder(CARD)) == sorted([WEIGHTS, EXPORT, "export.log"])
    assert names(store.root) == [CARD.name]
