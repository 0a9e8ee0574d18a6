"""`python -m supply.licences` lists the licences of all installed packages and models.

Licences of packages are read from their metadata, and licences of models from their cards. `licences.toml` lists the
allowed licences. The exit status is 1 if a package, or a model that the configuration serves, has another licence. If a
package offers a choice of licences, all of them must be allowed.
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
    """The contents of `licences.toml`, which explains them."""

    model_config = ConfigDict(extra="forbid")

    allowed: frozenset[str]
    allowed_for: Mapping[str, tuple[str, ...]]
    read: Mapping[str, str]
    spelt: Mapping[str, str]

    def allow(self, name: str, licence: str) -> bool:
        """Whether the package or model `name` may have `licence`, an expression of one or more licences."""
        return all(
            part in self.allowed or any(fnmatch(name, pattern) for pattern in self.allowed_for.get(part, ()))
            for part in filter(None, map(str.strip, _OPERATORS.split(licence)))
        )


@dataclass(frozen=True)
class Entry:
    """A line of the report.

    Attributes:
        name: normalised name of a package, or name of a model.
        version: version of the package; empty for a model.
        needed: whether the licence must be allowed, because the package is installed or the model is served.
        allowed: whether the licence is allowed.
    """

    name: str
    version: str
    licence: str
    needed: bool
    allowed: bool


def rules() -> Rules:
    """Read the rules."""
    return Rules.model_validate(tomllib.loads(RULES.read_text("utf-8")))


def packages(rules: Rules) -> list[Entry]:
    """List the packages of this environment, sorted by name."""
    entries = {}
    for distribution in metadata.distributions():
        name = re.sub(r"[-_.]+", "-", distribution.name).lower()
        licence = rules.read.get(name) or stated(cast(Message, distribution.metadata), rules)
        entries[name] = Entry(name, distribution.version, licence, True, rules.allow(name, licence))
    return [entries[name] for name in sorted(entries)]


def stated(about: Message, rules: Rules) -> str:
    """Return the licence in a package's metadata: its expression, else its one-line text, else its classifiers."""
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
    """List the models of the catalogue. The models that a Serve configuration names are needed.

    Raises:
        ModelError: the configuration cannot be read, or names an unknown model.
    """
    served = {card.name for card in configured_in(config)}
    return [
        Entry(card.name, "", card.licence, card.name in served, rules.allow(card.name, card.licence))
        for card in cards().values()
    ]


def table(title: str, entries: Sequence[Entry]) -> Table:
    """Format the entries as a table with a verdict for each."""
    report = Table(Column(title, no_wrap=True), Column("version", no_wrap=True), "licence", "", box=None)
    for entry in entries:
        verdict = "" if entry.allowed else "[red]not allowed[/]" if entry.needed else "not allowed, not served"
        report.add_row(entry.name, entry.version, escape(entry.licence), verdict)
    return report


def main(
    config: Annotated[Path, typer.Option(help="A Serve configuration.")] = ROOT / "configs" / "serve.yaml",
) -> None:
    """Print the report. The exit status is 1 if the licence of a needed package or model is not allowed."""
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
    rejected = [entry.name for entries in parts.values() for entry in entries if entry.needed and not entry.allowed]
    if rejected:
        raise SystemExit(f"{RULES.name} does not allow the licences of: {', '.join(rejected)}")


if __name__ == "__main__":
    typer.run(main)
