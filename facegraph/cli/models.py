"""`facegraph models`: fetch, list and verify models."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from evaluation.error_rates import ErrorRate, error_rates
from facegraph.cli.options import DEFAULT_CONFIG, JsonOption
from facegraph.cli.output import make_table, print_json, print_line, print_table, stdout
from models.card import Card
from models.catalogue import card, cards, caveats, networks_of
from models.errors import ModelError
from models.pull import configured_in, pull, store_in
from models.store import State, Store, chosen_store

Names = Annotated[
    list[str] | None, typer.Argument(metavar="MODEL...", help="Default: the models in the configuration.")
]
StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store",
        help="Folder of the models. Default: models_dir of --config, if the command has it, else MODEL_STORE, "
        "else data/models.",
    ),
]
ConfigOption = Annotated[Path, typer.Option("--config", help="A Serve configuration file.")]
MirrorOption = Annotated[
    Path | None,
    typer.Option("--mirror", envvar="MODEL_MIRROR", help="Folder of weight files to use before downloading."),
]


def pull_command(
    names: Names = None,
    store: StoreOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    mirror: MirrorOption = None,
) -> None:
    """Download and export models. Models that are ready are skipped."""
    pull(_asked(names, config), store_for(store, config), mirror, stdout)


def list_command(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """List the models of the catalogue, and whether they are on this machine."""
    pulled = store_for(store)
    if as_json:
        print_json([_described(entry, _state(entry, pulled)) for entry in cards().values()])
        return
    table = make_table("model", "task", "state", "size", "licence", "title")
    for entry in cards().values():
        size = " ".join(map(str, entry.shape))
        table.add_row(entry.name, entry.task, _state(entry, pulled), size, entry.licence, entry.title)
    print_table(table)
    for entry in cards().values():
        if entry.superseded_by:
            print_line(f"{entry.name} is superseded by {entry.superseded_by}")
        if rates := _error_rates(entry):
            print_line(f"{entry.name}: {'; '.join(map(str, rates))}")
    for caveat, names in caveats(cards().values()).items():
        print_line(f"{', '.join(names)}: {caveat}")


def verify_command(names: Names = None, store: StoreOption = None, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Check the hash of every file of the models."""
    damaged = []
    pulled = store_for(store, config)
    for entry in dict.fromkeys(network for each in _asked(names, config) for network in networks_of(each)):
        problems = pulled.problems(entry)
        damaged += [entry.name] if problems else []
        stdout.print(
            f"[red]damaged[/] {entry.name}: {', '.join(problems)}" if problems else f"[green]whole[/]   {entry.name}"
        )
    if damaged:
        raise ModelError(f"files are damaged or missing; run `{pulled.pull_command(*damaged)}`")


def store_for(store: Path | None, config: Path | None = None) -> Store:
    """Return the store that `--store` names, else that of the configuration, else the default store."""
    if store is not None:
        return Store(store)
    return store_in(config) if config else Store(chosen_store())


def _asked(names: list[str] | None, config: Path) -> list[Card]:
    """Return the named models, or a configuration's models."""
    return [card(name) for name in names] if names else configured_in(config)


def _state(entry: Card, store: Store) -> State:
    """Return the state of the model, or of a fusion's least ready member."""
    order: tuple[State, ...] = ("not pulled", "weights only", "ready")
    return min((store.state(network) for network in networks_of(entry)), key=order.index)


def _error_rates(entry: Card) -> list[ErrorRate]:
    return [rate for each in entry.thresholds if each.bona_fide for rate in error_rates(each.bona_fide, each.attacks)]


def _described(entry: Card, state: State) -> dict[str, Any]:
    rates = {
        rate.name: {"errors": rate.count, "photos": rate.of, **asdict(rate.estimate)} for rate in _error_rates(entry)
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
