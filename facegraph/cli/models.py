"""`facegraph models`: fetching, exporting and checking networks."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from evaluation.error_rates import ErrorRate, error_rates
from facegraph.cli.options import DEFAULT_CONFIG, JsonOption
from facegraph.cli.terminal import console, say, say_json
from models.card import Card
from models.catalogue import card, cards, caveats, networks_of
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
    """Show the catalogue, and which of its models are here."""
    if as_json:
        say_json([_described(entry, _state(entry, Store(store))) for entry in cards().values()])
        return
    table = Table("model", "task", "state", "size", "licence", "what it is", box=None, header_style="bold")
    for entry in cards().values():
        size = " ".join(map(str, entry.shape))
        table.add_row(entry.name, entry.task, _state(entry, Store(store)), size, entry.licence, entry.title)
    console.print(table)
    for entry in cards().values():
        if entry.superseded_by:
            say(f"{entry.name} is superseded by {entry.superseded_by}")
        if rates := _error_rates(entry):
            say(f"{entry.name}: {'; '.join(map(str, rates))}")
    for caveat, names in caveats(cards().values()).items():
        say(f"{', '.join(names)}: {caveat}")


def verify_command(
    names: Names = None, store: StoreOption = DEFAULT_STORE, config: ConfigOption = DEFAULT_CONFIG
) -> None:
    """Compare every file of the pulled models with its hash."""
    damaged = []
    asked = [card(name) for name in names] if names else configured_in(config)
    for entry in dict.fromkeys(network for each in asked for network in networks_of(each)):
        problems = Store(store).problems(entry)
        damaged += [entry.name] if problems else []
        console.print(
            f"[red]damaged[/] {entry.name}: {', '.join(problems)}" if problems else f"[green]whole[/]   {entry.name}"
        )
    if damaged:
        raise ModelError(f"run `facegraph models pull {' '.join(damaged)}` to mend it")


def _state(entry: Card, store: Store) -> State:
    """The state of the network of `entry` that is furthest from ready."""
    states = {store.state(network) for network in networks_of(entry)}
    order: tuple[State, ...] = ("not pulled", "weights only", "ready")
    return next(state for state in order if state in states)


def _error_rates(entry: Card) -> list[ErrorRate]:
    return [rate for each in entry.thresholds if each.bona_fide for rate in error_rates(each.bona_fide, each.attacks)]


def _described(entry: Card, state: State) -> dict[str, Any]:
    rates = {
        rate.name: {"errors": rate.errors, "photos": rate.photos, **asdict(rate.estimate)}
        for rate in _error_rates(entry)
    }
    return {
        "model": entry.name,
        "task": entry.task,
        "state": state,
        "size": next(iter(entry.shape), None),
        "licence": entry.licence,
        "title": entry.title,
        "superseded_by": entry.superseded_by,
        "caveats": entry.caveats,
        "error_rates": rates,
    }
