"""Pulling: fetching what is missing, exporting what is not exported, and doing nothing twice."""

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
from models.downloads import Downloads
from models.errors import ModelError
from models.export import export
from models.fetch import fetch
from models.store import Store


def pull(cards: Sequence[Card], store: Store, mirror: Path | None, console: Console) -> None:
    """Make every one of `cards` ready, showing progress.

    Raises:
        ModelError: one of them could not be; those before it are ready.
    """
    wanted = [card for card in cards if store.state(card) != "ready"]
    for card in cards:
        if card not in wanted:
            console.print(f"[green]ready[/]  {card.name}")
    if not wanted:
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with _alone(store.root), Progress(*columns, console=console, transient=True) as progress:
        for card in wanted:
            task = progress.add_task(f"fetching {card.name}", total=None)

            def report(what: str, done: int, total: int | None, task: Any = task) -> None:
                progress.update(task, description=f"fetching {what}", completed=done, total=total)

            downloads = Downloads(store.root / ".downloads", report)
            fetch(card, store, downloads, mirror)
            progress.update(task, description=f"exporting {card.name}", completed=0, total=None)
            export(card, store)
            progress.remove_task(task)
            console.print(f"[green]pulled[/] {card.name}")
        downloads.clear()


def configured_in(path: Path) -> list[Card]:
    """The cards that a Serve configuration file names among its applications' args.

    Raises:
        ModelError: the file cannot be read, or names a model that the catalogue does not have.
    """
    try:
        config = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ModelError(f"the configuration {path} cannot be read: {error}") from error
    return [
        entry for application in config.get("applications", []) for entry in configured(application.get("args", {}))
    ]


def configured(args: object) -> list[Card]:
    """The cards that an application's arguments name: each ``model:`` in them, once."""
    return [card_named(name) for name in dict.fromkeys(_models(args))]


def _models(entry: object) -> Iterator[str]:
    if isinstance(entry, dict):
        for key, value in entry.items():
            if key == "model" and isinstance(value, str):
                yield value
            else:
                yield from _models(value)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Let one pull at a time work in a store; a second one waits and then finds the work done."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
