"""Pulling is atomic and repeats nothing."""

import fcntl
import io
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from models import export as export_module
from models.card import Card
from models.catalogue import card
from models.errors import ModelError
from models.pull import configured_in, pull
from models.store import Store
from tests.conftest import PROJECT, pulled
from tests.models.cards import made_card

CARD = card("mediapipe-full-range")
WEIGHTS, EXPORT = CARD.files[0].name, CARD.exports[0]
Exports = list[str]


class Paper(Console):
    """A console that keeps its output."""

    def __init__(self) -> None:
        self.sheet = io.StringIO()
        super().__init__(file=self.sheet, width=200)


@pytest.fixture
def mirror(store: Store) -> Path:
    """A folder that has the weights of `CARD`."""
    return store.folder(CARD)


@pytest.fixture
def exports(store: Store, monkeypatch: pytest.MonkeyPatch) -> Exports:
    """The names of exported cards. Exports are replaced by copying the file from the real store."""
    made: Exports = []

    def copied(card: Card, to: Store) -> None:
        made.append(card.name)
        shutil.copy(store.folder(card) / EXPORT, to.folder(card) / EXPORT)
        to.finish(card)

    monkeypatch.setattr(export_module, "export", copied)
    return made


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_pull_fetches_and_exports_and_a_second_one_does_nothing(mirror: Path, tmp_path: Path) -> None:
    store, paper = Store(tmp_path / "models"), Paper()
    pull([CARD, CARD], store, mirror, paper)
    assert store.state(CARD) == "ready"
    assert names(store.root) == [".lock", CARD.name]
    assert names(store.folder(CARD)) == sorted([WEIGHTS, EXPORT, "manifest.json"])
    assert not (store.folder(CARD) / WEIGHTS).is_symlink()
    # A store that has everything is only read: it may be mounted read-only.
    (store.root / ".lock").unlink()
    pull([CARD], store, None, paper)
    assert names(store.root) == [CARD.name]
    assert paper.sheet.getvalue().split() == ["pulled", CARD.name, "ready", CARD.name]


def test_an_export_that_fails_leaves_its_log_and_no_half_model(tmp_path: Path) -> None:
    store = Store(tmp_path / "models")
    store.folder(CARD).mkdir(parents=True)
    (store.folder(CARD) / WEIGHTS).write_bytes(b"no network")
    (store.folder(CARD) / EXPORT).write_bytes(b"the export before")
    with pytest.raises(ModelError) as caught:
        export_module.export(CARD, store)
    log = store.folder(CARD) / "export.log"
    assert str(caught.value) == f"the export of {CARD.name} failed: see {log}"
    assert "Traceback" in log.read_text()
    assert (store.folder(CARD) / EXPORT).read_bytes() == b"the export before"
    assert names(store.folder(CARD)) == sorted([WEIGHTS, EXPORT, "export.log"])
    assert names(store.root) == [CARD.name]


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / EXPORT).write_bytes(b"damaged"),
        lambda folder: (folder / "manifest.json").unlink(),
        lambda folder: (folder / WEIGHTS).write_bytes(b"damaged"),
    ],
    ids=["export damaged", "manifest deleted", "weights damaged"],
)
def test_a_pull_mends_what_is_damaged(
    mirror: Path, tmp_path: Path, exports: Exports, damage: Callable[[Path], object]
) -> None:
    store = Store(tmp_path)
    pull([CARD], store, mirror, Paper())
    damage(store.folder(CARD))
    pull([CARD], store, mirror, Paper())
    assert store.state(CARD) == "ready"
    assert exports == [CARD.name] * 2


def test_an_interrupted_pull_goes_on_from_the_weights(
    mirror: Path, tmp_path: Path, exports: Exports, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)

    def interrupted(card: Card, to: Store) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(export_module, "export", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pull([CARD], store, mirror, Paper())
    assert names(store.folder(CARD)) == [WEIGHTS]
    pull([CARD], store, None, Paper())
    assert store.state(CARD) == "ready"


def test_the_models_before_one_that_fails_are_ready(mirror: Path, tmp_path: Path, exports: Exports) -> None:
    unknown = made_card(files=[CARD.files[0].model_copy(update={"name": "x", "sha256": "0" * 64, "sources": ()})])
    store = Store(tmp_path)
    with pytest.raises(ModelError, match="x of the model made-up could not be fetched"):
        pull([CARD, unknown], store, mirror, Paper())
    assert [store.state(entry) for entry in (CARD, unknown)] == ["ready", "not pulled"]


def test_a_pull_that_waited_for_another_finds_the_work_done(mirror: Path, tmp_path: Path, exports: Exports) -> None:
    class Waiting(Paper):
        """Sets `printed` at the first output."""

        printed = threading.Event()

        def print(self, *words: Any, **options: Any) -> None:
            super().print(*words, **options)
            self.printed.set()

    store, paper = Store(tmp_path), Waiting()
    second = threading.Thread(target=pull, args=([CARD], store, mirror, paper))
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second.start()
        assert paper.printed.wait(timeout=10)
        # The first pull finishes while the second one waits.
        shutil.copytree(mirror, store.folder(CARD))
    second.join()
    assert paper.sheet.getvalue() == f"waiting for another pull to finish\nready  {CARD.name}\n"
    assert exports == []


def test_a_fusion_is_pulled_as_its_members(store: Store) -> None:
    paper = Paper()
    pull([pulled("crmnet-duo"), card("fr-liveness")], store, None, paper)
    assert paper.sheet.getvalue().split() == ["ready", "fr-liveness", "ready", "minifasnet"]


def test_a_configuration_names_each_model_of_its_applications_once(tmp_path: Path) -> None:
    file = tmp_path / "serve.yaml"
    args = ("{a: {b: {model: mtcnn}}}", "{}", "{c: [{model: facenet, engine: onnx}], d: {model: mtcnn}}")
    file.write_text("applications:\n" + "".join(f"- args: {entry}\n" for entry in args) + "- name: none\n")
    assert [entry.name for entry in configured_in(file)] == ["mtcnn", "facenet"]
    tasks = {entry.task for entry in configured_in(PROJECT / "configs" / "serve.yaml")}
    assert tasks >= {"detector", "liveness", "embedder"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("applications: [", r"serve\.yaml"),
        ("", r"serve\.yaml"),
        ("just words", r"serve\.yaml"),
        ("- a\n- list\n", r"serve\.yaml"),
        (None, r"serve\.yaml cannot be read"),
        ("applications: [{args: {model: mtccn}}]", "no model is called 'mtccn'"),
    ],
    ids=["no YAML", "empty", "text", "list", "not there", "no such model"],
)
def test_a_configuration_that_cannot_be_understood_is_refused(tmp_path: Path, text: str | None, problem: str) -> None:
    file = tmp_path / "serve.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ModelError, match=problem):
        configured_in(file)
