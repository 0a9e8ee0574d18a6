"""How commands print: results, progress bars and one-sentence errors, with control characters escaped."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from evaluation.progress import Track

Item = TypeVar("Item")

stdout = Console()
stderr = Console(stderr=True)
"""For everything except the result, which goes to `stdout` and may be piped."""

_ENDLESS = 10_000
"""Width in characters that no table reaches."""

ReportProgress = Callable[[str, int, int | None], None]
"""Called with the current step, the number of finished items, and their total number if it is known."""


class CommandError(Exception):
    """A mistake that the user can correct. The message is one sentence."""


@contextmanager
def command_errors(*types: type[Exception]) -> Iterator[None]:
    """Turn exceptions of these types into `CommandError`. Any other exception is a bug."""
    try:
        yield
    except types as error:
        raise CommandError(str(error)) from error


def message_of(error: Exception) -> str:
    """Return the message of an error, which for one of the operating system begins with the file and not a number."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def exit_with_error(message: str, status: int = 1) -> None:
    """Print an error and end the program."""
    stderr.print(f"[red]error[/] {escaped(message)}", highlight=False, soft_wrap=True)
    raise SystemExit(status)


def printable(text: str) -> str:
    """Escape control characters in text from elsewhere, such as a subject's id."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def escaped(text: str) -> str:
    """Escape control characters and rich's markup in text from elsewhere."""
    return escape(printable(text))


def quantity(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 face`` or ``2 faces``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def print_line(text: str) -> None:
    """Print a line of the result. `text` may contain rich's markup."""
    stdout.print(text, highlight=False, soft_wrap=True)


def make_table(*columns: str) -> Table:
    """Return an empty table without lines. Column names are plain text; cells may contain rich's markup."""
    table = Table(*map(escaped, columns), box=None, header_style="bold")
    # If the terminal is narrow, the other columns wrap first: the first one has the names to copy.
    table.columns[0].no_wrap = True
    return table


def print_table(table: Table) -> None:
    """Print a table of the result. Only a terminal's width wraps it, so that programs read one line per row."""
    console = stdout if stdout.is_terminal else Console(file=stdout.file, width=_ENDLESS)
    console.print(table)


def print_json(value: Any) -> None:
    """Print the result as JSON. It may contain dataclasses and datetimes."""
    typer.echo(json.dumps(value, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else asdict(value)


@contextmanager
def progress_bar() -> Iterator[ReportProgress]:
    """Show a progress bar until the block ends."""
    text = TextColumn("{task.description}", markup=False)
    columns = (SpinnerColumn(), text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # Without a terminal, rich would print empty lines.
    with Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as bars:
        task = bars.add_task("", total=None)

        def report(step: str, done: int, total: int | None) -> None:
            bars.update(task, description=printable(step), completed=done, total=total)

        yield report


@contextmanager
def tracking() -> Iterator[Track]:
    """Yield a function that iterates over a sequence and shows a progress bar."""
    with progress_bar() as report:

        def track(items: Sequence[Item], what: str) -> Iterable[Item]:
            for done, item in enumerate(items):
                report(what, done, len(items))
                yield item

        yield track
