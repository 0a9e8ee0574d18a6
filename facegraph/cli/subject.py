"""`facegraph gallery verify`, `rename`, `merge` and `metadata`: commands on one subject of a running service."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from facegraph.cli.options import DEFAULT_URL, ApiKeyOption, CollectionOption, JsonOption, SimilarityOption, UrlOption
from facegraph.cli.output import escaped, print_json, print_line, quantity
from facegraph.cli.service_client import service_client
from facegraph.client import FaceRule

SubjectArgument = Annotated[str, typer.Argument(help="Id of the subject.")]


def _json_object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise typer.BadParameter("it is not a JSON object")
    return found


def verify_command(
    photo: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A photo of a person.")],
    subject: SubjectArgument,
    collection: CollectionOption,
    faces: Annotated[
        FaceRule, typer.Option("--faces", help="Which face of the photo to compare; all: the most similar one.")
    ] = "prominent",
    threshold: SimilarityOption = None,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check whether a photo shows an enrolled subject."""
    with service_client(url, api_key) as client:
        found = client.verify_subject(collection, subject, photo, faces=faces, threshold=threshold)
    if as_json:
        print_json(found)
        return
    verdict = "[green]match[/]" if found.match else "[yellow]no match[/]"
    needed = f"a match needs at least {found.threshold.value:g}"
    print_line(f"{verdict}: similarity {found.similarity:.3f} to {escaped(subject)}; {needed}")


def rename_command(
    subject: SubjectArgument,
    new: Annotated[str, typer.Argument(help="Its new id.")],
    collection: CollectionOption,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
) -> None:
    """Give a subject another id."""
    with service_client(url, api_key) as client:
        faces = client.rename_subject(collection, subject, new)
    print_line(f"[green]renamed[/] {escaped(subject)} to {escaped(new)}: {quantity(faces, 'face')}")


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
    print_line(f"[green]merged[/] {quantity(faces, 'face')} into {escaped(into)}")


def metadata_command(
    subject: SubjectArgument,
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
        raise typer.BadParameter("--set and --remove cannot be used together")
    with service_client(url, api_key) as client:
        if new is None and not remove:
            print_json(client.subject(collection, subject).metadata)
            return
        client.set_metadata(collection, subject, new)
    print_line(f"[green]{'removed' if remove else 'set'}[/] the metadata of {escaped(subject)}")
