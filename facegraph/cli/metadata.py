"""`facegraph gallery metadata`."""

import json
from typing import Annotated, Any

import typer

from facegraph.cli.options import DEFAULT_URL, ApiKeyOption, CollectionOption, UrlOption
from facegraph.cli.output import escaped, print_json, print_line
from facegraph.cli.service_client import service_client


def _json_object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise typer.BadParameter("it is not a JSON object")
    return found


def metadata_command(
    subject: Annotated[str, typer.Argument(help="Id of the subject.")],
    collection: CollectionOption,
    new: Annotated[
        Any,
        typer.Option("--set", metavar="JSON", parser=_json_object, help="A JSON object that replaces the metadata."),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the metadata.")] = False,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
) -> None:
    """Print, replace or remove the metadata of a subject."""
    if new is not None and remove:
        raise typer.BadParameter("--set and --remove exclude each other")
    with service_client(url, api_key) as client:
        if new is None and not remove:
            print_json(client.subject(collection, subject).metadata)
            return
        client.set_metadata(collection, subject, new)
    print_line(f"[green]{'removed' if remove else 'set'}[/] the metadata of {escaped(subject)}")
