"""Pulling is atomic and repeats nothing."""

import fcntl
import io
import shutil
import threading
from pathlib import Path

import pytest
from rich.console import Console

from models import export as export_module
from models.card import Card
from models.catalogue import card
from models.errors import ModelError
from models.pull import configured_in, pull, store_in
from models.store import Store
from project.root import ROOT
from tests.conftest import pulled
from tests.models.cards import made_card
from tests.waiting import until

CARD = card("mediapipe-full-range")
WEIGHTS, EXPORT = CARD.files[0].name, CARD.exports[0]


@pytest.fixture
def paper() -> Console:
    """A console that records its output."""
    return Console(record=True, file=io.StringIO(), width=200)


@pytest.fixture
def mirror(store: Store) -> Path:
    """A folder that has the weights of `CARD`."""
    return store.folder(CARD)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_pull_fetches_and_exports_and_another_does_nothing(mirror: Path, new_store: Store, paper: Console) -> None:
    pull([CARD, CARD], new_store, mirror, paper)
    assert new_store.state(CARD) == "ready"
    assert names(new_store.root) == [".lock", CARD.name]
    assert names(new_store.folder(CARD)) == sorted([WEIGHTS, EXPORT, "manifest.json"])
    assert not (new_store.folder(CARD) / WEIGHTS).is_symlink()
    # A store that has everything is only read: it may be mounted read-only.
    (new_store.root / ".lock").unlink()
    pull([CARD], new_store, None, paper)
    assert names(new_store.root) == [CARD.name]
    assert paper.export_text().split() == ["pulled", CARD.name, "(1", "of", "1)", "ready", CARD.name]


def test_an_export_that_fails_leaves_its_log_and_no_half_model(new_store: Store) -> None:
    folder = new_store.folder(CARD)
    folder.mkdir(parents=True)
    (folder / WEIGHTS).write_bytes(b"no network")
    (folder / EXPORT).write_bytes(b"the export before")
    with pytest.raises(ModelError, match=f"^the export of {CARD.name} failed: see {folder / 'export.log'}$"):
        export_module.export(CARD, new_store)
    assert "Traceback" in (folder / "export.log").read_text()
    assert (folder / EXPORT).read_bytes() == b"the export before"
    assert names(folder) == sorted([WEIGHTS, EXPORT, "export.log"])
    assert names(new_store.root) == [CARD.name]


def test_the_next_pull_finishes_what_an_interruption_or_an_error_left(
    store: Store, mirror: Path, new_store: Store, paper: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(card: Card, to: Store) -> None:
        raise KeyboardInterrupt

    def copied(card: Card, to: Store) -> None:
        shutil.copy(store.folder(card) / EXPORT, to.folder(card) / EXPORT)
        to.finish(card)

    monkeypatch.setattr(export_module, "export", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pull([CARD], new_store, mirror, paper)
    assert names(new_store.folder(CARD)) == [WEIGHTS]
    monkeypatch.setattr(export_module, "export", copied)
    unknown = made_card(files=[CARD.files[0].model_copy(update={"name": "x", "sha256": "0" * 64, "sources": ()})])
    with pytest.raises(ModelError, match="x of the model made-up could not be fetched"):
        pull([CARD, unknown], new_store, None, paper)
    assert [new_store.state(entry) for entry in (CARD, unknown)] == ["ready", "not pulled"]


def test_a_pull_that_waited_for_another_finds_the_work_done(mirror: Path, new_store: Store, paper: Console) -> None:
    second = threading.Thread(target=pull, args=([CARD], new_store, None, paper))
    new_store.root.mkdir()
    with (new_store.root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second.start()
        until(lambda: paper.export_text(clear=False))
        # The first pull finishes while the second one waits.
        shutil.copytree(mirror, new_store.folder(CARD))
    second.join()
    assert paper.export_text() == f"waiting for another pull to finish\nready  {CARD.name}\n"


def test_a_fusion_is_pulled_as_its_members(store: Store, paper: Console) -> None:
    pull([pulled("crmnet-duo"), card("fr-liveness")], store, None, paper)
    assert paper.export_text().split() == ["ready", "fr-liveness", "ready", "minifasnet"]


def test_a_configuration_names_each_model_of_its_applications_once(tmp_path: Path) -> None:
    file = tmp_path / "serve.yaml"
    args = ("{a: {b: {model: mtcnn}}}", "{}", "{c: [{model: facenet, engine: onnx}], d: {model: mtcnn}}")
    file.write_text("applications:\n" + "".join(f"- args: {entry}\n" for entry in args) + "- name: none\n")
    assert [entry.name for entry in configured_in(file)] == ["mtcnn", "facenet"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("applications: [", r"serve\.yaml cannot be read"),
        (None, r"serve\.yaml cannot be read"),
        *((text, r"serve\.yaml has no applications") for text in ("", "just words", "a: 1", "applications: [x]")),
        ("applications: [{args: {model: mtccn}}]", "unknown model 'mtccn'"),
    ],
)
def test_a_configuration_that_cannot_be_understood_is_refused(tmp_path: Path, text: str | None, problem: str) -> None:
    file = tmp_path / "serve.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ModelError, match=problem):
        configured_in(file)


def test_the_store_of_a_configuration_is_the_one_it_states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "serve.yaml"
    file.write_text("applications: [{}, {args: {models_dir: data/stated}}]")
    monkeypatch.setenv("MODEL_STORE", str(tmp_path))
    assert store_in(file).root == ROOT / "data" / "stated"
    file.write_text("applications: [{args: {}}]")
    assert store_in(file).root == tmp_path
