"""`facegraph models`: fetching, exporting and checking networks."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from facegraph.cli.options import DEFAULT_CONFIG, JsonOption
from facegraph.cli.terminal import console, say_json
from models.card import Card
from models.catalogue import card, cards
from models.errors import ModelError
from models.pull import configured_in, pull
from models.store import DEFAULT_STORE, State, Store

Names = Annotated[
    list[str] | None, typer.Argument(metavar="MODEL...", help="Default: all that the configuration uses.")
]
StoreOption = Annotated[Path, typer.Option("--store", envvar="MODEL_STORE", help="Folder of weights and exports.")]
ConfigOption = Annotated[Path, typer.Option("--config", help="The Serve configuration that names the models.")]
MirrorOption = Annotated[
    Path | None, typer.Option("--mirror", envvar="MODEL_MIRROR", help="Folder of weight files to ask first.")
]


def pull_command(
    names: Names = None,
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = DEFAULT_CONFIG,
    mirror: MirrorOption = None,
) -> None:
    """Fetch weights and export them. What is ready already is left alone."""
    pull([card(name) for name in names] if names else configured_in(config), Store(store), mirror, console)


def list_command(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Show the catalogue and what of it is here."""
    if as_json:
        say_json([_described(entry, Store(store).state(entry)) for entry in cards().values()])
        return
    table = Table("model", "task", "state", "size", "licence", "what it is", box=None, header_style="bold")
    for entry in cards().values():
        size = str(entry.output_size) if entry.output_size else ""
        table.add_row(entry.name, entry.task, Store(store).state(entry), size, entry.licence, entry.title)
    console.print(table)


def verify_command(
    names: Names = None, store: StoreOption = DEFAULT_STORE, config: ConfigOption = DEFAULT_CONFIG
) -> None:
    """Compare every file of the pulled models with its hash."""
    damaged = []
    for entry in [card(name) for name in names] if names else configured_in(config):
        problems = Store(store).problems(entry)
        damaged += [entry.name] if problems else []
        console.print(
            f"[red]damaged[/] {entry.name}: {', '.join(problems)}" if problems else f"[green]whole[/]   {entry.name}"
        )
    if damaged:
        raise ModelError(f"run `facegraph models pull {' '.join(damaged)}` to mend it")


def _described(entry: Card, state: State) -> dict[str, Any]:
    described = {"model": entry.name, "task": entry.task, "state": state, "size": entry.output_size}
    return {**described, "licence": entry.licence, "title": entry.title}
