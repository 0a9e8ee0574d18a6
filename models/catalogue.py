"""The catalogue: one TOML card a model, in `models/cards`."""

import tomllib
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from models.card import Card, Task
from models.errors import ModelError

CARDS = Path(__file__).parent / "cards"


@cache
def cards() -> dict[str, Card]:
    """Every card by name, in alphabetical order.

    Raises:
        ModelError: a card is not valid; the message names the file and the fields.
    """
    return {path.stem: _read(path) for path in sorted(CARDS.glob("*.toml"), key=lambda path: path.stem)}


def card(name: str) -> Card:
    """The card called `name`.

    Raises:
        ModelError: there is none; the message lists those there are.
    """
    try:
        return cards()[name]
    except KeyError:
        raise ModelError(f"no model is called {name!r}; the catalogue has {', '.join(cards())}") from None


def card_for(task: Task, role: str, name: str) -> Card:
    """The card called `name`, which is to be the network of the stage called `role`.

    Raises:
        ModelError: there is none, or it is for another task.
    """
    entry = card(name)
    if entry.task != task:
        raise ModelError(f"the stage {role} wants a model for the task {task}, and {name} is for {entry.task}")
    return entry


def ranges_path(card: Card) -> Path:
    """Where the ranges by which the int8 file of `card` is made are kept: `models.int8`."""
    return CARDS / f"{card.name}.ranges.json"


def _read(path: Path) -> Card:
    try:
        return Card.model_validate({"name": path.stem, **tomllib.loads(path.read_text("utf-8"))})
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise ModelError(f"the model card {path} is not valid: {error}") from error
