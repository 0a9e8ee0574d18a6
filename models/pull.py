"""Pull models: fetch missing weights and export them."""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from models.card import Card
from models.catalogue import card as card_named
from models.catalogue import networks_of
from models.errors import ModelError
from models.store import DEFAULT_STORE, Store, chosen_store


def pull(cards: Sequence[Card], store: Store, mirror: Path | None, console: Console) -> None:
    """Fetch and export the models that are not ready, and show progress.

    Raises:
        ModelError: the mirror is not a folder, or a model could not be pulled. Models pulled before it are ready.
    """
    if mirror is not None and not mirror.is_dir():
        raise ModelError(f"the mirror {mirror} is not a folder")
    named = {network.name: network for card in cards for network in networks_of(card)}
    if wanted := _not_ready(named, store):
        with _store_lock(store.root, console):
            # Another pull may have finished them while this one waited.
            wanted = _not_ready(named, store)
            if wanted:
                _pull(list(wanted.values()), store, mirror, console)
    for name in named:
        if name not in wanted:
            console.print(f"[green]ready[/]  {name}")


def _not_ready(cards: dict[str, Card], store: Store) -> dict[str, Card]:
    return {name: card for name, card in cards.items() if store.state(card) != "ready"}


def _pull(cards: Sequence[Card], store: Store, mirror: Path | None, console: Console) -> None:
    # Imported here: they take half a second, and usually every model is ready.
    from models.downloads import Downloads
    from models.export import export
    from models.fetch import fetch

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task, place = progress.add_task("", total=None), ""

        def report(what: str, done: int, total: int | None) -> None:
            progress.update(task, description=f"{place}fetching {what}", completed=done, total=total)

        downloads = Downloads(store.root / ".downloads", report)
        for number, card in enumerate(cards, 1):
            place = f"{number} of {len(cards)}: "
            report(card.name, 0, None)
            fetch(card, store, downloads, mirror)
            progress.update(task, description=f"{place}exporting {card.name}", completed=0, total=None)
            export(card, store)
            console.print(f"[green]pulled[/] {card.name} ({number} of {len(cards)})")
        downloads.clear()


def configured_in(path: Path) -> list[Card]:
    """Return the cards that a Serve configuration file names.

    Raises:
        ModelError: the file cannot be read or names an unknown model.
    """
    return configured(_arguments(path))


def store_in(path: Path) -> Store:
    """Return the store of a Serve configuration file: the first `models_dir` in it, otherwise `chosen_store`.

    Raises:
        ModelError: the file cannot be read.
    """
    stated = [args["models_dir"] for args in _arguments(path) if isinstance(args, dict) and "models_dir" in args]
    return Store(DEFAULT_STORE.parents[1] / stated[0] if stated else chosen_store())


def _arguments(path: Path) -> list[Any]:
    """Return the arguments of each application in a Serve configuration file."""
    try:
        config = yaml.safe_load(path.read_text("utf-8"))
        return [application.get("args", {}) for application in config["applications"]]
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ModelError(f"the configuration {path} cannot be read: {error}") from error
    except (AttributeError, KeyError, TypeError) as error:
        raise ModelError(f"the configuration {path} has no applications") from error


def configured(args: object) -> list[Card]:
    """Return the card of each ``model:`` in the arguments of applications, without duplicates.

    Raises:
        ModelError: there is no such card.
    """
    return [card_named(name) for name in dict.fromkeys(_models(args))]


def _models(entry: object) -> Iterator[str]:
    if isinstance(entry, dict):
        for key, value in entry.items():
            if key == "model" and isinstance(value, str):
                yield value
            else:
                yield from _models(value)
    elif isinstance(entry, list):
        for value in entry:
            yield from _models(value)


@contextmanager
def _store_lock(root: Path, console: Console) -> Iterator[None]:
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.print("waiting for another pull to finish")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
