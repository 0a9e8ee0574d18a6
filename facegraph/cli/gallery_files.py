"""`facegraph gallery`: commands that work on the gallery's files."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.filesize import decimal

from facegraph.cli.options import DEFAULT_URI, StorageOption, UriOption, key_values
from facegraph.cli.output import CommandError, escaped, message_of, print_line, progress_bar, quantity
from facegraph.client import CollectionStatistics
from gallery.errors import failures
from gallery.location import Location
from gallery.reading.reader import Reader
from gallery.storage.disk import GalleryInUseError
from gallery.transfer.backup import backup, restore
from gallery.transfer.consistent_reads import TransferError, collections_at, first_line
from gallery.transfer.parquet_export import export_gallery
from gallery.writing.writer import Writer
from project.request_error import RequestError

T = TypeVar("T")


@contextmanager
def gallery_errors() -> Iterator[None]:
    """Turn the errors of a gallery's files into `CommandError`."""
    try:
        yield
    except GalleryInUseError as error:
        raise CommandError(f"{error}, usually the running service: stop it first") from error
    except (RequestError, OSError, TransferError, RuntimeError, ValueError) as error:
        # Lance and Arrow raise several types for files that they cannot read.
        # The first note is the error's own, with the name of the collection, which a RequestError already contains.
        notes = failures(error)
        problems = [_message(error), *notes[1:]] if isinstance(error, RequestError) or not notes else notes
        raise CommandError("; ".join(problems)) from error


def _message(error: Exception) -> str:
    if isinstance(error, RequestError):
        return error.message
    return message_of(error) if isinstance(error, OSError) and error.strerror is not None else first_line(error)


@gallery_errors()
def export_command(
    folder: Annotated[
        Path, typer.Argument(help="Folder for one Parquet file per collection. It must be empty or not exist.")
    ],
    collection: Annotated[
        list[str] | None, typer.Option("--collection", help="A collection to export. May be repeated. Default: all.")
    ] = None,
    uri: UriOption = DEFAULT_URI,
    storage_option: StorageOption = None,
) -> None:
    """Export collections to Parquet files."""
    with progress_bar() as report:
        files = asyncio.run(export_gallery(location_at(uri, storage_option), folder, collection or [], report))
    for file in files:
        what = f"{escaped(file.name)}: {quantity(file.faces, 'face')}"
        print_line(f"[green]exported[/] {what} in {escaped(str(file.path))}")


@gallery_errors()
def backup_command(
    place: Annotated[str, typer.Argument(help="A folder or an object store location that is empty or does not exist.")],
    uri: UriOption = DEFAULT_URI,
    storage_option: StorageOption = None,
) -> None:
    """Copy the gallery. A service can run on the copy."""
    with progress_bar() as report:
        copied = asyncio.run(backup(location_at(uri, storage_option), location_at(place, storage_option), report))
    print_line(f"[green]backed up[/] {quantity(len(copied), 'collection')} to {escaped(place)}")


@gallery_errors()
def restore_command(
    place: Annotated[str, typer.Argument(help="Folder or object store location of the backup.")],
    replace: Annotated[bool, typer.Option("--replace", help="Move an existing gallery aside.")] = False,
    uri: UriOption = DEFAULT_URI,
    storage_option: StorageOption = None,
) -> None:
    """Restore a backup to a gallery that is empty or does not exist."""
    source, target = location_at(place, storage_option), location_at(uri, storage_option)
    with progress_bar() as report:
        copied, aside = asyncio.run(restore(source, target, replace, report))
    print_line(f"[green]restored[/] {quantity(len(copied), 'collection')} from {escaped(place)}")
    if aside is not None:
        print_line(
            f"The previous gallery was moved to {escaped(str(aside))} and still contains its faces: "
            "delete that folder when you no longer need it."
        )


@gallery_errors()
def clean_command(uri: UriOption = DEFAULT_URI, storage_option: StorageOption = None) -> None:
    """Erase deleted faces from the gallery's files."""
    try:
        freed = write_gallery(location_at(uri, storage_option), Writer.clean)
    except GalleryInUseError as error:
        raise TransferError(f"{error}; to clean up a running service, use POST /v1/gallery/clean") from error
    for name, size in freed.items():
        print_line(f"[green]cleaned[/] {escaped(name)}: {decimal(size)} freed")


@gallery_errors()
def collections(uri: str, storage_options: list[str] | None) -> tuple[list[CollectionStatistics], list[str]]:
    """Return the collections of a gallery as the service describes them, and an error message for each damaged one."""
    location = location_at(uri, storage_options)

    async def run() -> tuple[list[CollectionStatistics], list[str]]:
        reader, found, damaged = Reader(location, 0), list[CollectionStatistics](), list[str]()
        for collection in await collections_at(location):
            try:
                found.append(await _statistics(reader, collection.name))
            except RequestError as refused:
                damaged.append(refused.message)
        return found, damaged

    return asyncio.run(run())


@gallery_errors()
def delete(uri: str, storage_options: list[str] | None, collection: str, subjects: Sequence[str]) -> Mapping[str, int]:
    """Delete subjects and return the number of faces of each."""

    async def run(writer: Writer) -> dict[str, int]:
        return {subject: await writer.delete_subjects(collection, [subject]) for subject in subjects}

    return write_gallery(location_at(uri, storage_options), run)


async def _statistics(reader: Reader, name: str) -> CollectionStatistics:
    collection, counted = await reader.statistics(name)
    kind = collection.kind
    return CollectionStatistics(
        name=collection.name,
        embedder=kind.embedder,
        model=kind.model,
        embedding_contract=kind.contract,
        embedding_dimensions=kind.size,
        threshold=collection.threshold,
        created=collection.created,
        faces=counted.faces,
        subjects=counted.subjects,
        bytes=counted.bytes,
        changed=counted.changed,
    )


def write_gallery(location: Location, work: Callable[[Writer], Awaitable[T]], create: bool = False) -> T:
    """Run `work` with the gallery's writer. The gallery must exist, unless `create` is set."""

    async def run() -> T:
        if not create:
            await collections_at(location)
        writer = await Writer.open(location)
        try:
            return await work(writer)
        finally:
            await writer.close()

    return asyncio.run(run())


def location_at(uri: str, storage_options: list[str] | None) -> Location:
    """Return the location given by the options --uri and --storage-option."""
    # A gallery is locked only if it is a plain path.
    return Location(uri.removeprefix("file://"), key_values(storage_options, "--storage-option"))
