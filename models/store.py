"""The folder of weights and exported networks."""

import contextlib
import hashlib
import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from models.card import Card
from models.catalogue import ranges_path
from models.errors import ModelError
from project.files import atomic

EXPORTER_VERSION = "7"
"""Change this when an exporter's output changes, so that all models are exported again."""

DEFAULT_STORE = Path(__file__).resolve().parents[1] / "data" / "models"
STORE_VARIABLE = "MODEL_STORE"
"""Environment variable that names another folder, for configurations without ``models_dir``."""

State = Literal["ready", "weights only", "not pulled"]


def chosen_store() -> Path:
    """Return the folder that MODEL_STORE names, relative to the project, or else the default."""
    return DEFAULT_STORE.parents[1] / (os.environ.get(STORE_VARIABLE) or DEFAULT_STORE)


class Store:
    """One folder per model below `root`, with its weights, its exports and `manifest.json`.

    The manifest is written last: a folder without one is incomplete, and the next pull finishes it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, card: Card) -> Path:
        """The folder of `card`."""
        return self.root / card.name

    def state(self, card: Card) -> State:
        """The state of `card`."""
        if not self.problems(card):
            return "ready"
        return "not pulled" if self._weight_problems(card) else "weights only"

    def exports(self, card: Card) -> list[Path]:
        """Check the hashes of the exported files of `card` and return their paths, in the card's order.

        Raises:
            ModelError: a file is missing or damaged. The message names the command that fixes it.
        """
        self._raise_first(card, self._export_problems(card))
        return [self.folder(card) / name for name in card.exports]

    def check_presence(self, card: Card) -> None:
        """Check that the exports of `card` exist, without reading them.

        Raises:
            ModelError: one is missing.
        """
        missing = [f"{name} is missing" for name in card.exports if not (self.folder(card) / name).is_file()]
        self._raise_first(card, missing)

    def whole(self, card: Card) -> Path:
        """Check the hashes of the weights and exports of `card` and return its folder.

        Raises:
            ModelError: a file is missing or damaged. The message names the command that fixes it.
        """
        self._raise_first(card, self.problems(card))
        return self.folder(card)

    def problems(self, card: Card) -> list[str]:
        """List the missing and damaged files of `card`. Reads every file."""
        return [*self._weight_problems(card), *self._export_problems(card)]

    def finish(self, card: Card) -> None:
        """Write the manifest of `card`, which marks it as ready."""
        hashes = {name: sha256_of(self.folder(card) / name) for name in card.exports}
        manifest = {"version": self._version(card), "checked": _checked(card), "exports": hashes}
        with atomic(self.folder(card) / "manifest.json") as path:
            path.write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")

    def pull_command(self, *names: str) -> str:
        """Return the command that pulls these models into this store."""
        option = "" if self.root == chosen_store() else f" --store {shlex.quote(str(self.root))}"
        return f"facegraph models pull {' '.join(names)}{option}"

    def _raise_first(self, card: Card, problems: list[str]) -> None:
        if problems:
            command = self.pull_command(card.name)
            raise ModelError(f"the model {card.name} cannot be used because {problems[0]}: run `{command}`")

    def _weight_problems(self, card: Card) -> list[str]:
        folder = self.folder(card)
        return [
            f"{file.name} is missing or damaged" for file in card.files if not matches(folder / file.name, file.sha256)
        ]

    def _export_problems(self, card: Card) -> list[str]:
        manifest = self._manifest(card)
        if not manifest:
            return ["it has not been pulled"]
        if manifest.get("version") != self._version(card):
            return ["it was pulled for a different version of its card"]
        # Manifests of earlier versions lack this entry.
        if manifest.get("checked") not in (None, _checked(card)):
            return ["its card's crops or output length have changed since it was pulled"]
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
            card.preprocessing_version,
            *card.exports,
            *(f.sha256 for f in card.files),
            *(table for table in described if table != "{}"),
            # If they are missing, the export reports it.
            *([sha256_of(ranges)] if card.int8 and ranges.is_file() else []),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _checked(card: Card) -> list[list[int]]:
    """What the export was checked against, besides the version: the sizes of the crops and the shape of the answer."""
    return [[spec.size for spec in card.crops], [*card.shape]]


def sha256_of(path: Path) -> str:
    """Hex digest of the file at `path`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def matches(path: Path, sha256: str) -> bool:
    """Whether `path` is a file with this hash."""
    return path.is_file() and sha256_of(path) == sha256


def check_hash(path: Path, sha256: str, name: str) -> None:
    """Delete the file at `path` if its hash is not `sha256`.

    Raises:
        ModelError: the hash differs. The message calls the file `name`.
    """
    if (found := sha256_of(path)) != sha256:
        path.unlink()
        raise ModelError(f"{name} has the SHA-256 {found}, but its card expects {sha256}: the file was deleted")


@contextlib.contextmanager
def scratch(root: Path) -> Iterator[Path]:
    """A temporary folder below `root`, deleted after the block."""
    root.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".scratch-", dir=root))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
