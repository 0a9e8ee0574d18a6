"""The catalogue: the TOML cards in `models/cards`, and those in the folder that `MODEL_CARDS` names."""

import os
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from models.card import Card
from models.errors import ModelError
from models.sources import problems

CARDS = Path(__file__).parent / "cards"
ARCHITECTURES = Path(__file__).parent / "architectures"


@cache
def cards() -> dict[str, Card]:
    """Return all cards by name, in alphabetical order.

    Raises:
        ModelError: a card is not valid; the message names the file and the fields.
    """
    tables = {name: _table(path) for name, path in sorted(_paths().items())}
    networks = {name: _card(name, table) for name, table in tables.items() if "fusion" not in table}
    return {name: networks.get(name) or _card(name, _inheriting(name, tables[name], networks)) for name in tables}


def card(name: str) -> Card:
    """Return the card called `name`.

    Raises:
        ModelError: there is no such card. The message lists all cards.
    """
    try:
        return cards()[name]
    except KeyError:
        raise ModelError(f"unknown model {name!r}; available: {', '.join(cards())}") from None


def networks_of(entry: Card) -> tuple[Card, ...]:
    """Return the cards whose files `entry` needs: the members of a fusion, or `entry` itself."""
    return tuple(card(name) for name in entry.fusion.members) if entry.fusion else (entry,)


def caveats(entries: Iterable[Card]) -> dict[str, list[str]]:
    """Return each caveat of these cards with the names of the cards that have it."""
    names: dict[str, list[str]] = {}
    for entry in entries:
        for caveat in entry.caveats:
            names.setdefault(caveat, []).append(entry.name)
    return names


def folder_of(card: Card) -> Path:
    """Return the folder of the card's file."""
    return path.parent if (path := _paths().get(card.name)) else CARDS


def ranges_path(card: Card) -> Path:
    """Return the path of the activation ranges for the int8 export of `card`; see `models.int8`."""
    return folder_of(card) / f"{card.name}.ranges.json"


def _paths() -> dict[str, Path]:
    """Return the path of each card's file by the card's name."""
    paths: dict[str, Path] = {}
    folders = [CARDS]
    if own := os.environ.get("MODEL_CARDS"):
        folders.append(Path(own))
        if not folders[-1].is_dir():
            raise ModelError(f"MODEL_CARDS is {own}, which is not a folder")
    for folder in folders:
        for path in folder.glob("*.toml"):
            if path.stem in paths:
                raise ModelError(f"two model cards are called {path.stem}: {paths[path.stem]} and {path}")
            paths[path.stem] = path
    return paths


def _table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _invalid(path.stem, error) from error


def _card(name: str, table: dict[str, Any]) -> Card:
    architecture = table.get("architecture")
    if isinstance(architecture, str) and "fusion" not in table and architecture not in _architectures():
        known = ", ".join(_architectures())
        raise _invalid(name, f"architecture: unknown architecture {architecture}; available: {known}")
    try:
        entry = Card.model_validate({"name": name, **table})
    except ValidationError as error:
        raise _invalid(name, problems(error)) from error
    if entry.name != name:
        raise _invalid(name, "name: must be the file name without .toml")
    return entry


@cache
def _architectures() -> tuple[str, ...]:
    """Names of the modules that export networks."""
    return tuple(sorted(path.stem for path in ARCHITECTURES.glob("[!_]*.py")))


def _inheriting(name: str, table: dict[str, Any], networks: Mapping[str, Card]) -> dict[str, Any]:
    """Return the table of a fusion's card with the fields that it takes from its members."""
    if not isinstance(own := table.get("caveats", []), list):
        raise _invalid(name, "caveats: Input should be a list of sentences")
    try:
        members = [networks[member] for member in table["fusion"]["members"]]
    except (KeyError, TypeError) as error:
        raise _invalid(name, f"a member of [fusion] is unknown or itself a fusion: {error}") from error
    if others := [member.name for member in members if member.task != table.get("task")]:
        raise _invalid(name, f"these members of [fusion] have a different task than the card: {', '.join(others)}")
    inherited = {
        "architecture": "fusion",
        "framework": "onnx",
        "licence": " AND ".join(dict.fromkeys(member.licence for member in members)),
        "non_commercial": any(member.non_commercial for member in members),
        "crops": tuple(dict.fromkeys(spec for member in members for spec in member.crops)),
        "preprocessing_version": " ".join(member.preprocessing_version for member in members),
    }
    if stated := [key for key in inherited if key in table]:
        raise _invalid(name, f"a fusion takes these fields from its members: {', '.join(stated)}")
    caveats = (*own, *dict.fromkeys(each for member in members for each in member.caveats if each not in own))
    return {**table, **inherited, "caveats": caveats}


def _invalid(name: str, problem: object) -> ModelError:
    return ModelError(f"the model card {_paths()[name]} is not valid: {problem}")
