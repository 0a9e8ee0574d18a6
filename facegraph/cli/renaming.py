"""`facegraph gallery rename` and `merge`."""

from typing import Annotated

import typer

from facegraph.cli.options import DEFAULT_URL, ApiKeyOption, CollectionOption, UrlOption
from facegraph.cli.output import escaped, print_line
from facegraph.cli.service_client import service_client


def rename_command(
    subject: Annotated[str, typer.Argument(help="Id of the subject.")],
    new: Annotated[str, typer.Argument(help="Its new id.")],
    collection: CollectionOption,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
) -> None:
    """Give a subject another id."""
    with service_client(url, api_key) as client:
        faces = client.rename_subject(collection, subject, new)
    print_line(f"[green]renamed[/] {escaped(subject)} to {escaped(new)}: {faces} faces")


def merge_command(
    subjects: Annotated[list[str], typer.Argument(metavar="SUBJECT...", help="Ids of the subjects to merge.")],
    into: Annotated[str, typer.Option("--into", metavar="SUBJECT", help="Id of the subject that gets their faces.")],
    collection: CollectionOption,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
) -> None:
    """Give all faces of several subjects to one subject."""
    with service_client(url, api_key) as client:
        faces = client.merge_subjects(collection, subjects, into)
    print_line(f"[green]merged[/] {faces} faces into {escaped(into)}")
