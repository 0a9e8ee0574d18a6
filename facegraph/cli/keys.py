"""`facegraph keys`: API keys."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from access.keys import SCOPES, KeysError, create, read, revoke
from facegraph.cli.options import JsonOption
from facegraph.cli.terminal import console, mistakes, notes, say, say_json, shown
from project.root import ROOT

UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}

FileOption = Annotated[
    Path, typer.Option("--keys-file", envvar="KEYS_FILE", help="Below the project unless absolute, as for the service.")
]
DEFAULT_FILE = Path("data/keys.json")


@mistakes(KeysError)
def create_command(
    name: Annotated[str, typer.Argument(help="Whose it is, for people.")],
    scope: Annotated[
        list[str], typer.Option("--scope", metavar="|".join(SCOPES), help="What it may do. May be repeated.")
    ],
    collection: Annotated[
        list[str] | None, typer.Option("--collection", help="All that it reaches. May be repeated. Default: all.")
    ] = None,
    expires: Annotated[str | None, typer.Option("--expires", metavar="90d", help="In hours, days or weeks.")] = None,
    keys_file: FileOption = DEFAULT_FILE,
) -> None:
    """Make a key and print it, alone and this once."""
    if unknown := set(scope) - set(SCOPES):
        raise typer.BadParameter(f"there is no scope {shown(', '.join(unknown))}", param_hint="--scope")
    scopes = [each for each in SCOPES if each in scope]
    until = None if expires is None else datetime.now(UTC).replace(microsecond=0) + _duration(expires)
    key, text = create(ROOT / keys_file, name, scopes, collection or [], until)
    # The key alone goes to the output, for a script.
    typer.echo(text)
    notes.print(f"[green]created[/] {key.id} for {shown(key.name)}. The key is not kept: note it now.", highlight=False)


@mistakes(KeysError)
def list_command(keys_file: FileOption = DEFAULT_FILE, as_json: JsonOption = False) -> None:
    """Show the keys, without what they are."""
    if as_json:
        say_json([key.model_dump(mode="json", exclude={"hash"}) for key in read(ROOT / keys_file)])
        return
    table = Table("id", "name", "scopes", "collections", "created", "expires", box=None, header_style="bold")
    for key in read(ROOT / keys_file):
        until = "never" if key.expires is None else _time(key.expires)
        if key.expires is not None and key.expires <= datetime.now(UTC):
            until = f"[red]{until}[/]"
        collections = shown(", ".join(key.collections)) or "all"
        table.add_row(key.id, shown(key.name), ", ".join(key.scopes), collections, _time(key.created), until)
    console.print(table)


@mistakes(KeysError)
def revoke_command(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")],
    keys_file: FileOption = DEFAULT_FILE,
) -> None:
    """Take a key back: the running service refuses it a second later."""
    key = revoke(ROOT / keys_file, key_id)
    say(f"[green]revoked[/] {key.id} of {shown(key.name)}")


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9][0-9]{0,4})([hdw])", text)
    if not found:
        raise typer.BadParameter(f"{text} is not a number of hours, days or weeks, as in 90d", param_hint="--expires")
    return int(found[1]) * UNITS[found[2]]


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
