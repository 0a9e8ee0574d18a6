"""What the commands say to a person: texts that steer no terminal, progress, and mistakes in one sentence."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from evaluation.progress import Track

Item = TypeVar("Item")

console = Console()
notes = Console(stderr=True)
"""For whatever is not the command's result, which may go into a pipe."""

Report = Callable[[str, int, int | None], None]
"""Called with what is being done, how much of it is done, and how much there is where that is known."""


class CommandError(Exception):
    """Something that whoever typed the command can set right; the message is one sentence."""


@contextmanager
def mistakes(*types: type[Exception]) -> Iterator[None]:
    """Tell of errors of these `types` in one sentence; all others are faults of the program."""
    try:
        yield
    except types as error:
        raise CommandError(str(error)) from error


def end(message: str, status: int = 1) -> None:
    """End the program with one sentence."""
    notes.print(f"[red]error[/] {shown(message)}", highlight=False, soft_wrap=True)
    raise SystemExit(status)


def plain(text: str) -> str:
    """A client's text without what would steer the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown(text: str) -> str:
    """The same for where rich reads its markup."""
    return escape(plain(text))


def say(text: str) -> None:
    """Print a line of the result, in rich's markup."""
    console.print(text, highlight=False, soft_wrap=True)


def say_json(value: Any) -> None:
    """Print the result for a program."""
    typer.echo(json.dumps(value, indent=2, default=datetime.isoformat))


@contextmanager
def progress() -> Iterator[Report]:
    """A bar that is gone after the block."""
    text = TextColumn("{task.description}", markup=False)
    columns = (SpinnerColumn(), text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # Where there is no terminal to draw on, rich leaves empty lines.
    with Progress(*columns, console=notes, transient=True, disable=not notes.is_terminal) as bars:
        task = bars.add_task("", total=None)

        def report(what: str, done: int, total: int | None) -> None:
            bars.update(task, description=plain(what), completed=done, total=total)

        yield report


@contextmanager
def tracking() -> Iterator[Track]:
    """A bar for each of the block's sequences, as it is gone through."""
    with progress() as report:

        def track(items: Sequence[Item], what: str) -> Iterable[Item]:
            for done, item in enumerate(items):
                report(what, done, len(items))
                yield item

        yield track
