"""`facegraph gallery`: commands that use a running service. Some also work on the files with --offline."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal

from facegraph.cli.options import (
    DEFAULT_URI,
    DEFAULT_URL,
    FILES,
    ApiKeyOption,
    CollectionOption,
    JsonOption,
    SimilarityOption,
    StorageOption,
    UriOption,
    UrlOption,
)
from facegraph.cli.output import CommandError, escaped, make_table, print_json, print_line, print_table, quantity
from facegraph.cli.service_client import service_client
from facegraph.client import CollectionStatistics, FaceRule, NotFoundError, ServiceError
from gallery.subject_ids import look_alikes

OfflineOption = Annotated[
    bool,
    typer.Option("--offline", rich_help_panel=FILES, help="Work on the files at --uri instead of the service."),
]


def list_command(
    context: typer.Context,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    offline: OfflineOption = False,
    uri: UriOption = DEFAULT_URI,
    storage_option: StorageOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the collections. --offline reads the files, even while a service runs.

    If a collection is damaged, the others are still listed, and the exit status is 1.
    """
    check_offline(context, offline)
    if offline:
        # LanceDB takes seconds to import.
        from facegraph.cli import gallery_files

        found, damaged = gallery_files.collections(uri, storage_option)
    else:
        found, damaged = _collections(url, api_key)
    if as_json:
        print_json(found)
    else:
        _print_table(found)
    if damaged:
        raise CommandError("; ".join(damaged))


def _print_table(found: Sequence[CollectionStatistics]) -> None:
    table = make_table("collection", "model", "contract", "faces", "subjects", "size", "last change")
    for each in found:
        numbers = [str(each.faces), str(each.subjects), decimal(each.bytes), f"{each.changed:%Y-%m-%d %H:%M} UTC"]
        table.add_row(*map(escaped, (each.name, each.model, each.embedding_contract)), *numbers)
    print_table(table)


def subjects_command(
    collection: CollectionOption,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the subjects of a collection, and report ids that look alike."""
    with service_client(url, api_key) as client:
        found = client.subjects(collection)
        if as_json:
            print_json(list(found))
            return

        # One line at a time, because a collection may have millions of subjects.
        def printed() -> Iterator[str]:
            for subject in found:
                last = f"{subject.last_enrolled:%Y-%m-%d}"
                print_line(f"{escaped(subject.id)}  {quantity(subject.faces, 'face')}, last enrolled {last}")
                yield subject.id

        print_look_alikes(look_alikes(printed()))


def search_command(
    photo: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A photo of one or several people.")],
    collection: CollectionOption,
    faces: Annotated[FaceRule, typer.Option("--faces", help="Which faces of the photo to search for.")] = "all",
    top: Annotated[int, typer.Option("--top", min=1, max=100, help="Maximum number of candidates per face.")] = 5,
    threshold: SimilarityOption = None,
    min_margin: Annotated[
        float | None,
        typer.Option(min=0, max=2, help="Minimum margin between the two most similar people; below it, no match."),
    ] = None,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the enrolled people that the faces of a photo resemble."""
    with service_client(url, api_key) as client:
        found = client.search(collection, photo, faces=faces, top_k=top, threshold=threshold, min_margin=min_margin)
    if as_json:
        print_json({"threshold": found.threshold, "faces_found": found.faces_found, "faces": found.faces})
        return
    for number, face in enumerate(found.faces, 1):
        box = f"{face.box.width:.0f}x{face.box.height:.0f} at {face.box.left:.0f},{face.box.top:.0f}"
        margin = "" if face.margin is None else f", margin {face.margin:.3f}"
        candidates = [f"{escaped(each.subject)} {each.similarity:.3f}" for each in face.candidates]
        none = f"no candidate at {found.threshold.value:g} or above"
        if face.no_match == "below_min_margin":
            none = f"no match{margin}"
        print_line(f"face {number} ({box}): {', '.join(candidates) + margin if candidates else none}")
    if found.faces_found > len(found.faces):
        print_line(f"{found.faces_found} faces were found; only the best {len(found.faces)} were searched for")
    if not found.faces:
        print_line("no face")


def delete_command(
    context: typer.Context,
    subjects: Annotated[list[str], typer.Argument(metavar="SUBJECT...", help="Ids of the subjects.")],
    collection: CollectionOption,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    offline: OfflineOption = False,
    uri: UriOption = DEFAULT_URI,
    storage_option: StorageOption = None,
) -> None:
    """Delete subjects with all their faces. --offline requires the service to be stopped."""
    check_offline(context, offline)
    if offline:
        from facegraph.cli import gallery_files

        deleted = gallery_files.delete(uri, storage_option, collection, subjects)
    else:
        deleted = _delete(url, api_key, collection, subjects)
    for subject, faces in deleted.items():
        what = f"[green]deleted[/] {quantity(faces, 'face')} of" if faces else "[yellow]no faces[/] of"
        print_line(f"{what} {escaped(subject)}")


def drop_command(
    collection: Annotated[str, typer.Argument(help="Name of the collection.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
) -> None:
    """Delete a collection with all its subjects permanently."""
    with service_client(url, api_key) as client:
        try:
            found = client.collection(collection)
            content = f"{quantity(found.faces, 'face')} of {quantity(found.subjects, 'subject')}"
        except ServiceError as error:
            if error.code != "COLLECTION_UNREADABLE":
                raise
            content = "all its faces, which cannot be read"
        if not yes and not typer.confirm(f"Delete {collection} with {content} permanently?"):
            raise CommandError(f"{collection} was not deleted")
        client.delete_collection(collection, with_faces=True)
    print_line(f"[green]deleted[/] the collection {escaped(collection)} with {content}")


def print_look_alikes(pairs: Iterable[tuple[str, str]]) -> None:
    """Report pairs of ids that look alike, with their characters spelled out."""
    for pair in pairs:
        names = " and ".join(f"{escaped(each)} ({escaped(ascii(each))})" for each in pair)
        print_line(f"[yellow]look alike[/] {names} are two subjects")


def _collections(url: str, api_key: str | None) -> tuple[list[CollectionStatistics], list[str]]:
    """Return the collections, and an error message for each damaged one."""
    found, damaged = list[CollectionStatistics](), list[str]()
    with service_client(url, api_key) as client:
        for each in client.collections():
            try:
                found.append(client.collection(each.name))
            except ServiceError as error:
                if error.code != "COLLECTION_UNREADABLE":
                    raise
                damaged.append(error.message)
    return found, damaged


def _delete(url: str, api_key: str | None, collection: str, subjects: Sequence[str]) -> Mapping[str, int]:
    deleted = {}
    with service_client(url, api_key) as client:
        client.collection(collection)
        for subject in subjects:
            try:
                deleted[subject] = client.delete_subject(collection, subject)
            except NotFoundError:
                deleted[subject] = 0
    return deleted


def check_offline(context: typer.Context, offline: bool) -> None:
    """Reject options on the command line that would have no effect. Environment variables are ignored instead."""
    for name in ("url", "api_key") if offline else ("uri", "storage_option"):
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            option = f"--{name.replace('_', '-')}"
            problem = "has no effect with --offline" if offline else "requires --offline"
            raise typer.BadParameter(f"{option} {problem}", param_hint=option)
