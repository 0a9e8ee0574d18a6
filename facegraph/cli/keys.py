"""`facegraph keys`."""

import re
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from access.key_encryption import KeyCipher, access_key_id, create_operator_key
from access.keys import SCOPES, KeysError, create, read, revoke
from access.settings import AWS_PACKAGES, AccessArgs
from facegraph.cli.options import JsonOption
from facegraph.cli.output import (
    command_errors,
    escaped,
    make_table,
    print_json,
    print_line,
    print_table,
    stderr,
)
from gallery.records import COLLECTION_NAME, COLLECTION_NAME_RULE
from project.root import ROOT

UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}

FileOption = Annotated[
    Path,
    typer.Option("--keys-file", envvar="KEYS_FILE", help="File of the keys, relative to the project."),
]
DEFAULT_FILE: Path = AccessArgs.model_fields["keys_file"].default


@command_errors(KeysError)
def create_command(
    name: Annotated[str, typer.Argument(help="A label that identifies the key's owner.")],
    scope: Annotated[
        list[str], typer.Option("--scope", metavar="|".join(SCOPES), help="What the key permits. May be repeated.")
    ],
    collection: Annotated[
        list[str] | None,
        typer.Option("--collection", help="A collection the key is limited to. May be repeated. Default: all."),
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="90d", help="Lifetime in hours, days or weeks.")
    ] = None,
    aws: Annotated[
        bool,
        typer.Option(
            "--aws", help="For AWS clients (docs/rekognition.md): print an access key, and store it encrypted."
        ),
    ] = False,
    rekognition_key_file: Annotated[
        Path | None,
        typer.Option(
            "--rekognition-key-file",
            envvar="REKOGNITION_KEY_FILE",
            help="The operator's key for --aws. It is created if it does not exist.",
        ),
    ] = None,
    keys_file: FileOption = DEFAULT_FILE,
) -> None:
    """Create a key and print it. It cannot be shown again."""
    if unknown := set(scope) - set(SCOPES):
        raise typer.BadParameter(
            f"unknown scope {escaped(', '.join(unknown))}; available: {', '.join(SCOPES)}", param_hint="--scope"
        )
    if invalid := [each for each in collection or [] if not re.fullmatch(COLLECTION_NAME, each)]:
        raise typer.BadParameter(
            f"{escaped(invalid[0])} is not the name of a collection: {COLLECTION_NAME_RULE}", param_hint="--collection"
        )
    scopes = [each for each in SCOPES if each in scope]
    until = None if expires is None else datetime.now(UTC).replace(microsecond=0) + _duration(expires)
    encrypt = _cipher(rekognition_key_file).encrypt if aws else None
    key, text = create(ROOT / keys_file, name, scopes, collection or [], until, encrypt)
    # Only the key goes to stdout, for use in scripts.
    typer.echo(f"aws_access_key_id = {access_key_id(key.id)}\naws_secret_access_key = {text}" if aws else text)
    stderr.print(
        f"[green]created[/] {key.id} for {escaped(key.name)}. Save it: it is not shown again.", highlight=False
    )


@command_errors(KeysError)
def list_command(keys_file: FileOption = DEFAULT_FILE, as_json: JsonOption = False) -> None:
    """List the keys without their secrets."""
    if as_json:
        print_json([key.model_dump(mode="json", exclude={"hash", "encrypted"}) for key in read(ROOT / keys_file)])
        return
    table = make_table("id", "name", "scopes", "collections", "created", "expires")
    for key in read(ROOT / keys_file):
        until = "never" if key.expires is None else _time(key.expires)
        if key.expires is not None and key.expires <= datetime.now(UTC):
            until = f"[red]{until}[/]"
        collections = escaped(", ".join(key.collections)) or "all"
        table.add_row(key.id, escaped(key.name), ", ".join(key.scopes), collections, _time(key.created), until)
    print_table(table)


@command_errors(KeysError)
def revoke_command(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The id that `list` shows.")],
    keys_file: FileOption = DEFAULT_FILE,
) -> None:
    """Revoke a key. A running service rejects it within a second."""
    key = revoke(ROOT / keys_file, key_id)
    print_line(f"[green]revoked[/] {key.id} of {escaped(key.name)}")


def _cipher(path: Path | None) -> KeyCipher:
    if path is None:
        raise typer.BadParameter("also needs --rekognition-key-file or REKOGNITION_KEY_FILE", param_hint="--aws")
    if missing := [name for name in AWS_PACKAGES if find_spec(name) is None]:
        raise KeysError(f"--aws needs {' and '.join(missing)}: run `make install EXTRAS=aws`")
    if not (file := ROOT / path).exists():
        create_operator_key(file)
        stderr.print(f"[green]created[/] the operator's key in {escaped(str(path))}", highlight=False)
    return KeyCipher(file)


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9][0-9]{0,4})([hdw])", text)
    if not found:
        raise typer.BadParameter(f"{text} is not a number of hours, days or weeks such as 90d", param_hint="--expires")
    return int(found[1]) * UNITS[found[2]]


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
