"""`facegraph gallery`: collections, subjects and searches of a running service, or offline of a gallery's files."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal
from rich.table import Table

from facegraph.cli.look_alikes import say_look_alike
from facegraph.cli.options import (
    DEFAULT_URI,
    DEFAULT_URL,
    FILES,
    ApiKeyOption,
    CollectionOption,
    JsonOption,
    StorageOption,
    UriOption,
    UrlOption,
)
from facegraph.cli.terminal import CommandError, console, mistakes, say, say_json, shown
from facegraph.client import (
    Client,
    CollectionStatistics,
    FacegraphError,
    FaceRule,
    NoAnswerError,
    NotFoundError,
    ServiceError,
)
from gallery.subject_ids import look_alikes

OfflineOption = Annotated[
    bool,
    typer.Option("--offline", rich_help_panel=FILES, help="Work on the files at --uri instead of asking the service."),
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
    """Show the collections; with --offline from the files, even while a service runs.

    The exit status is 1 if a collection is damaged; the others are shown all the same.
    """
    _check_offline(context, offline)
    found, damaged = _collections_of_files(uri, storage_option) if offline else _collections(url, api_key)
    if as_json:
        say_json([asdict(collection) for collection in found])
    else:
        _show(found)
    if damaged:
        raise CommandError("; ".join(damaged))


def _show(found: Sequence[CollectionStatistics]) -> None:
    table = Table(
        "collection", "model", "contract", "faces", "subjects", "size", "last change", box=None, header_style="bold"
    )
    for each in found:
        numbers = [str(each.faces), str(each.subjects), decimal(each.bytes), each.changed.isoformat(" ", "seconds")]
        table.add_row(*map(shown, (each.name, each.model, each.embedding_contract)), *numbers)
    console.print(table)


def subjects_command(
    collection: CollectionOption,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the subjects of a collection, and report ids that look alike."""
    with connected(url, api_key) as client:
        found = client.subjects(collection)
        if as_json:
            say_json([asdict(subject) for subject in found])
            return

        # A line at a time, for a collection may have millions.
        def told() -> Iterator[str]:
            for subject in found:
                say(f"{shown(subject.id)}  {subject.faces} faces, the last of {subject.last_enrolled:%Y-%m-%d}")
                yield subject.id

        for pair in look_alikes(told()):
            say_look_alike(*pair)


def search_command(
    photo: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Of one or several people.")],
    collection: CollectionOption,
    faces: Annotated[FaceRule, typer.Option("--faces", help="Which faces of the photo are searched for.")] = "all",
    top: Annotated[int, typer.Option("--top", min=1, max=100, help="Most subjects a face.")] = 5,
    threshold: Annotated[
        float | None, typer.Option(min=-1, max=1, help="Least similarity. Default: the collection's, or the model's.")
    ] = None,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the people on a photo among those enrolled."""
    with connected(url, api_key) as client:
        found = client.search(collection, photo, faces=faces, top_k=top, threshold=threshold)
    if as_json:
        searched = [asdict(face) for face in found.faces]
        say_json({"threshold": asdict(found.threshold), "faces_found": found.faces_found, "faces": searched})
        return
    for number, face in enumerate(found.faces, 1):
        box = f"{face.box.width:.0f}x{face.box.height:.0f} at {face.box.left:.0f},{face.box.top:.0f}"
        candidates = [f"{shown(each.subject)} {each.similarity:.3f}" for each in face.candidates]
        nobody = f"nobody at {found.threshold.value:g} or more"
        say(f"face {number} ({box}): {', '.join(candidates) or nobody}")
    if found.faces_found > len(found.faces):
        say(f"{found.faces_found} faces were found, and the {len(found.faces)} best searched for")
    if not found.faces:
        say("no face")


def delete_command(
    context: typer.Context,
    subjects: Annotated[list[str], typer.Argument(metavar="SUBJECT...", help="Their ids.")],
    collection: CollectionOption,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    offline: OfflineOption = False,
    uri: UriOption = DEFAULT_URI,
    storage_option: StorageOption = None,
) -> None:
    """Delete every face of some subjects; --offline while the service is stopped."""
    _check_offline(context, offline)
    if offline:
        deleted = _delete_from_files(uri, storage_option, collection, subjects)
    else:
        deleted = _delete(url, api_key, collection, subjects)
    for subject, faces in deleted.items():
        what = f"[green]deleted[/] {faces} faces of" if faces else "[yellow]no faces[/] of"
        say(f"{what} {shown(subject)}")


def drop_command(
    collection: Annotated[str, typer.Argument(help="Its name.")],
    yes: Annotated[bool, typer.Option("--yes", help="Without a question.")] = False,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
) -> None:
    """Delete a whole collection with everybody in it, at once and for good."""
    with connected(url, api_key) as client:
        try:
            found = client.collection(collection)
            who = f"{found.faces} faces of {found.subjects} subjects"
        except ServiceError as error:
            if error.code != "COLLECTION_UNREADABLE":
                raise
            who = "all its faces, which cannot be read"
        if not yes and not typer.confirm(f"Delete {collection} with {who} for good?"):
            raise CommandError(f"{collection} is as it was")
        client.delete_collection(collection, with_faces=True)
    say(f"[green]deleted[/] the collection {shown(collection)} with {who}")


@contextmanager
def connected(url: str, api_key: str | None) -> Iterator[Client]:
    """A client of the service at `url`, whose errors are the command's."""
    with mistakes(ValueError):
        client = Client(url, api_key)
    with client, service_mistakes():
        yield client


@contextmanager
def service_mistakes() -> Iterator[None]:
    """Tell of what the service refuses, or of that it is not there, in one sentence."""
    try:
        yield
    except NoAnswerError as error:
        raise CommandError(f"{error}; is the service running? `facegraph serve` starts it here") from error
    except FacegraphError as error:
        raise CommandError(str(error)) from error


def _collections(url: str, api_key: str | None) -> tuple[list[CollectionStatistics], list[str]]:
    """The collections, and a sentence about each damaged one."""
    found, damaged = list[CollectionStatistics](), list[str]()
    with connected(url, api_key) as client:
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
    with connected(url, api_key) as client:
        client.collection(collection)
        for subject in subjects:
            try:
                deleted[subject] = client.delete_subject(collection, subject)
            except NotFoundError:
                deleted[subject] = 0
    return deleted


def _collections_of_files(uri: str, storage_options: list[str] | None) -> tuple[list[CollectionStatistics], list[str]]:
    # Only now: LanceDB takes seconds to import.
    from facegraph.cli import gallery_files

    return gallery_files.collections(uri, storage_options)


def _delete_from_files(
    uri: str, storage_options: list[str] | None, collection: str, subjects: Sequence[str]
) -> Mapping[str, int]:
    from facegraph.cli import gallery_files

    return gallery_files.delete(uri, storage_options, collection, subjects)


def _check_offline(context: typer.Context, offline: bool) -> None:
    """Refuse options that would do nothing; variables of the environment are no choice of this command's."""
    for name in ("url", "api_key") if offline else ("uri", "storage_option"):
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            option = f"--{name.replace('_', '-')}"
            needs = "is of no use with --offline" if offline else "needs --offline"
            raise typer.BadParameter(f"{option} {needs}", param_hint=option)
