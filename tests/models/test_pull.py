"""Pulling: whole or not at all, and nothing twice."""

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
from models.pull import configured, configured_in, pull
from models.store import Store
from tests.conftest import PROJECT, pulled
from tests.models.cards import made_card

CARD = card("mediapipe-full-range")
WEIGHTS, EXPORT = CARD.files[0].name, CARD.exports[0]
Exports = list[str]


class Paper(Console):
    """A console whose words can be read."""

    def __init__(self) -> None:
        self.sheet = io.StringIO()
        super().__init__(file=self.sheet, width=200)


@pytest.fixture
def mirror(store: Store) -> Path:
    """A folder that has the weights of `CARD`."""
    return store.folder(CARD)


@pytest.fixture
def exports(store: Store, monkeypatch: pytest.MonkeyPatch) -> Exports:
    """What was exported, by name; an export takes the finished file of the real store, and no seconds."""
    made: Exports = []

    def copied(card: Card, to: Store) -> None:
        made.append(card.name)
        shutil.copy(store.folder(card) / EXPORT, to.folder(card) / EXPORT)
        to.finish(card)

    monkeypatch.setattr(export_module, "export", copied)
    return made


def test_a_pull_fetches_and_exports(mirror: Path, tmp_path: Path) -> None:
    store, paper = Store(tmp_path / "models"), Paper()
    pull([CARD], store, mirror, paper)
    assert store.state(CARD) == "ready"
    assert f"pulled {CARD.name}" in paper.sheet.getvalue()
    assert sorted(path.name for path in store.root.iterdir()) == [".lock", CARD.name]


def test_a_second_pull_does_nothing(mirror: Path, tmp_path: Path, exports: Exports) -> None:
    store, paper = Store(tmp_path), Paper()
    pull([CARD], store, mirror, Paper())
    # With no mirror and no network there is nowhere to fetch from, had it tried.
    pull([CARD], store, None, paper)
    assert exports == [CARD.name]
    assert paper.sheet.getvalue() == f"ready  {CARD.name}\n"


def test_a_model_that_is_named_twice_is_pulled_once(mirror: Path, tmp_path: Path, exports: Exports) -> None:
    pull([CARD, CARD], Store(tmp_path), mirror, Paper())
    assert exports == [CARD.name]


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / EXPORT).write_bytes(b"damaged"),
        lambda folder: (folder / EXPORT).unlink(),
        lambda folder: (folder / "manifest.json").unlink(),
        lambda folder: (folder / WEIGHTS).write_bytes(b"damaged"),
    ],
    ids=["export damaged", "export deleted", "manifest deleted", "weights damaged"],
)
def test_a_pull_mends_what_is_damaged(
    mirror: Path, tmp_path: Path, exports: Exports, damage: Callable[[Path], object]
) -> None:
    store = Store(tmp_path)
    pull([CARD], store, mirror, Paper())
    damage(store.folder(CARD))
    assert store.state(CARD) != "ready"
    pull([CARD], store, mirror, Paper())
    assert store.state(CARD) == "ready"
    assert len(exports) == 2


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
    assert store.state(CARD) == "weights only"
    assert [path.name for path in store.folder(CARD).iterdir()] == [WEIGHTS]
    pull([CARD], store, None, Paper())
    assert store.state(CARD) == "ready"


def test_the_models_before_one_that_fails_are_ready(mirror: Path, tmp_path: Path, exports: Exports) -> None:
    unknown = made_card(files=[CARD.files[0].model_copy(update={"name": "x", "sha256": "0" * 64, "sources": ()})])
    store = Store(tmp_path)
    with pytest.raises(ModelError, match="x of the model made-up could not be fetched"):
        pull([CARD, unknown], store, mirror, Paper())
    assert store.state(CARD) == "ready"
    assert store.state(unknown) == "not pulled"
    assert exports == [CARD.name]


def test_a_pull_that_waited_for_another_finds_the_work_done(mirror: Path, tmp_path: Path, exports: Exports) -> None:
    class Waiting(Paper):
        """Knows when a first word is printed."""

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
        # What the first pull does while the second one waits:
        shutil.copytree(mirror, store.folder(CARD))
    second.join()
    assert paper.sheet.getvalue() == f"waiting for another pull to end\nready  {CARD.name}\n"
    assert exports == []


def test_the_configuration_names_a_model_for_every_task() -> None:
    assert {entry.task for entry in configured_in(PROJECT / "configs" / "serve.yaml")} == {
        "detector",
        "liveness",
        "embedder",
    }


def test_the_models_of_every_application_are_named(tmp_path: Path) -> None:
    file = tmp_path / "serve.yaml"
    args = ("{a: {b: {model: mtcnn}}}", "{}", "{c: [{model: facenet}], d: {model: mtcnn}}")
    file.write_text("applications:\n" + "".join(f"- args: {entry}\n" for entry in args) + "- name: none\n")
    assert [entry.name for entry in configured_in(file)] == ["mtcnn", "facenet"]


def test_a_model_that_several_stages_use_is_named_once() -> None:
    args = {"a": {"x": {"model": "mtcnn"}}, "b": {"y": {"model": "facenet", "engine": "onnx"}, "z": {"model": "mtcnn"}}}
    assert [entry.name for entry in configured(args)] == ["mtcnn", "facenet"]


def test_a_configuration_of_a_model_that_is_not_there_is_refused() -> None:
    with pytest.raises(ModelError, match="no model is called 'mtccn'"):
        configured({"detectors": {"mtcnn": {"model": "mtccn"}}})


@pytest.mark.parametrize(
    "text",
    ["applications: [", "", "just words", "- a\n- list\n"],
    ids=["no YAML", "empty", "text", "list"],
)
def test_a_configuration_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "serve.yaml"
    file.write_text(text)
    with pytest.raises(ModelError, match=r"serve\.yaml"):
        configured_in(file)


def test_a_configuration_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"serve\.yaml cannot be read"):
        configured_in(tmp_path / "serve.yaml")


def test_a_store_that_has_everything_is_only_read(store: Store) -> None:
    """As where it is mounted read-only: not even a lock is left in it."""
    lock = store.root / ".lock"
    lock.unlink(missing_ok=True)
    pull([CARD], store, None, Paper())
    assert not lock.exists()


def test_a_fusion_is_pulled_as_its_members(store: Store) -> None:
    paper = Paper()
    pull([pulled("crmnet-duo"), card("fr-liveness")], store, None, paper)
    assert paper.sheet.getvalue().split() == ["ready", "fr-liveness", "ready", "minifasnet"]
