"""`python -m supply.licences`: the licences of every installed package and every model, and which are not allowed.

A package's licence is what its metadata states; a model's stands on its card. `licences.toml` says what is allowed.
The exit status is 1 where a package has something else, or a model that the configuration serves; models that it does
not serve are only shown. Where a package may be had under either of two licences, both have to be allowed.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path
from typing import Annotated, cast

import typer
from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from models.catalogue import cards, caveats
from models.errors import ModelError
from models.pull import configured_in
from project.root import ROOT

RULES = Path(__file__).with_suffix(".toml")
NONE = "none stated"

_OPERATORS = re.compile(r"\s+(?:AND|OR)\s+|[()]")


class Rules(BaseModel):
    """What `licences.toml` says, where it is explained."""

    model_config = ConfigDict(extra="forbid")

    allowed: frozenset[str]
    allowed_for: Mapping[str, tuple[str, ...]]
    read: Mapping[str, str]
    spelt: Mapping[str, str]

    def allow(self, name: str, licence: str) -> bool:
        """Whether a package or a model called `name` may have `licence`, which may be several."""
        return all(
            part in self.allowed or any(fnmatch(name, pattern) for pattern in self.allowed_for.get(part, ()))
            for part in filter(None, map(str.strip, _OPERATORS.split(licence)))
        )


@dataclass(frozen=True)
class Entry:
    """A line of the report.

    Attributes:
        name: of a package as indexes have it, in small letters with hyphens, or of a model.
        version: of the package; a model is known by its hashes.
        needed: whether it is installed or served, so that its licence counts.
        allowed: whether its licence is.
    """

    name: str
    version: str
    licence: str
    needed: bool
    allowed: bool


def rules(path: Path = RULES) -> Rules:
    """The rules in a file."""
    return Rules.model_validate(tomllib.loads(path.read_text("utf-8")))


def packages(rules: Rules) -> list[Entry]:
    """Every package of this environment, by name."""
    found = {}
    for distribution in metadata.distributions():
        name = re.sub(r"[-_.]+", "-", distribution.name).lower()
        licence = rules.read.get(name) or stated(cast(Message, distribution.metadata), rules)
        found[name] = Entry(name, distribution.version, licence, True, rules.allow(name, licence))
    return [found[name] for name in sorted(found)]


def stated(about: Message, rules: Rules) -> str:
    """The licence that a package's metadata states: an expression, else a line, else what it is classified as."""
    if expression := about["License-Expression"]:
        return str(expression)
    line = str(about["License"] or "").strip()
    if line and "\n" not in line:
        return rules.spelt.get(line, line)
    classified = [
        entry.rsplit(" :: ", 1)[-1] for entry in about.get_all("Classifier", []) if entry.startswith("License ::")
    ]
    return " AND ".join(rules.spelt.get(entry, entry) for entry in classified) or NONE


def networks(rules: Rules, config: Path) -> list[Entry]:
    """Every model of the catalogue; those that a Serve configuration names are needed.

    Raises:
        ModelError: the configuration cannot be read, or names a model that the catalogue does not have.
    """
    served = {card.name for card in configured_in(config)}
    return [
        Entry(card.name, "", card.licence, card.name in served, rules.allow(card.name, card.licence))
        for card in cards().values()
    ]


def table(title: str, entries: Sequence[Entry]) -> Table:
    """The entries with the verdict on each."""
    made = Table(Column(title, no_wrap=True), Column("version", no_wrap=True), "licence", "", box=None)
    for entry in entries:
        verdict = "" if entry.allowed else "[red]not allowed[/]" if entry.needed else "not allowed, not served"
        made.add_row(entry.name, entry.version, escape(entry.licence), verdict)
    return made


def main(
    config: Annotated[Path, typer.Option(help="A Serve configuration.")] = ROOT / "configs" / "serve.yaml",
) -> None:
    """Print the report; the exit status says whether everything needed is allowed."""
    known = rules()
    try:
        parts = {"package": packages(known), "model": networks(known, config)}
    except ModelError as error:
        raise SystemExit(str(error)) from None
    console = Console()
    for title, entries in parts.items():
        console.print(table(title, entries), "")
    for caveat, names in caveats(cards().values()).items():
        console.print(f"{', '.join(names)}: {caveat}", markup=False, highlight=False)
    refused = [entry.name for entries in parts.values() for entry in entries if entry.needed and not entry.allowed]
    if refused:
        raise SystemExit(f"licences that {RULES.name} does not allow: {', '.join(refused)}")


if __name__ == "__main__":
    typer.run(main)
