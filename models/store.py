"""The folder of fetched weights and exported networks, and what stands in it."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from models.card import Card
from models.catalogue import ranges_path
from models.errors import ModelError

EXPORTER_VERSION = "6"
"""Change it when an exporter changes what it writes, so that every store exports anew."""

DEFAULT_STORE = Path(__file__).resolve().parents[1] / "data" / "models"

State = Literal["ready", "weights only", "not pulled"]


class Store:
    """One folder a model below `root`: its weight files, its exports, and `manifest.json` once both are whole.

    The manifest is written last, so whatever is there without one is unfinished and is made again.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, card: Card) -> Path:
        """Where the files of `card` lie."""
        return self.root / card.name

    def state(self, card: Card) -> State:
        """How far `card` has come."""
        if not self.problems(card):
            return "ready"
        return "not pulled" if self._weight_problems(card) else "weights only"

    def exports(self, card: Card) -> list[Path]:
        """The exported files of `card`, in the card's order, after their hashes have been checked.

        Raises:
            ModelError: a file is missing or damaged; the message says what to type.
        """
        _refuse(card, self._export_problems(card))
        return [self.folder(card) / name for name in card.exports]

    def check_presence(self, card: Card) -> None:
        """Look whether the exports of `card` are still there, without reading them.

        Raises:
            ModelError: one is not.
        """
        missing = [f"{name} is gone" for name in card.exports if not (self.folder(card) / name).is_file()]
        _refuse(card, missing)

    def whole(self, card: Card) -> Path:
        """The folder of `card`, after the hashes of its weights and exports have been checked.

        Raises:
            ModelError: as above.
        """
        _refuse(card, self.problems(card))
        return self.folder(card)

    def problems(self, card: Card) -> list[str]:
        """What keeps `card` from being whole: files that are missing or changed. Reads every file."""
        return [*self._weight_problems(card), *self._export_problems(card)]

    def finish(self, card: Card) -> None:
        """Note that weights and exports of `card` are whole."""
        hashes = {name: sha256_of(self.folder(card) / name) for name in card.exports}
        manifest = {"version": self._version(card), "exports": hashes}
        with atomic(self.folder(card) / "manifest.json") as path:
            path.write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")

    def _weight_problems(self, card: Card) -> list[str]:
        folder = self.folder(card)
        return [
            f"{file.name} is missing or damaged" for file in card.files if not matches(folder / file.name, file.sha256)
        ]

    def _export_problems(self, card: Card) -> list[str]:
        manifest = self._manifest(card)
        if not manifest:
            return ["it is not pulled"]
        if manifest.get("version") != self._version(card):
            return ["it was pulled for another version of its card"]
        folder, hashes = self.folder(card), manifest["exports"]
        return [f"{name} is missing or damaged" for name in card.exports if not matches(folder / name, hashes[name])]

    def _manifest(self, card: Card) -> dict[str, Any]:
        try:
            manifest = json.loads((self.folder(card) / "manifest.json").read_text("utf-8"))
        except (FileNotFoundError, UnicodeDecodeError, json.JSONDecodeError):
            return {}
        return manifest if isinstance(manifest, dict) else {}

    @staticmethod
    def _version(card: Card) -> str:
        ranges = ranges_path(card)
        described = [card.input.model_dump_json()] if card.input else []
        if card.output:
            described += [card.output.model_dump_json(exclude_none=True, exclude=set(card.output.unexported))]
        parts = [
            EXPORTER_VERSION,
            card.architecture,
            card.preprocessing,
            *card.exports,
            *(f.sha256 for f in card.files),
            *(table for table in described if table != "{}"),
            # Where they are missing, the export says what to do.
            *([sha256_of(ranges)] if card.int8 and ranges.is_file() else []),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _refuse(card: Card, problems: list[str]) -> None:
    if problems:
        raise ModelError(
            f"the model {card.name} cannot be used, {problems[0]}: run `facegraph models pull {card.name}`"
        )


def sha256_of(path: Path) -> str:
    """Hex digest of the file at `path`, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def matches(path: Path, sha256: str) -> bool:
    """Whether there is a file at `path` and it has this hash."""
    return path.is_file() and sha256_of(path) == sha256


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A path to write to, which becomes `path` when the block ends well, and vanishes when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield unfinished
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextlib.contextmanager
def scratch(root: Path) -> Iterator[Path]:
    """An empty folder below `root` that is gone after the block."""
    root.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".scratch-", dir=root))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
