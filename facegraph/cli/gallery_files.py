"""`facegraph gallery`: commands that work on the gallery's files."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal

from facegraph.cli.options import DEFAULT_URI, StorageOption, UriOption
from facegraph.cli.output import CommandError, ReportProgress, escaped, print_line, progress_bar
from facegraph.client import CollectionStatistics
from gallery.location import Location
from gallery.reading.reader import Reader
from gallery.records import Collection
from gallery.storage.disk import GalleryInUseError
from gallery.transfer import parquet_import
from gallery.transfer.backup import backup, restore
from gallery.transfer.consistent_reads import TransferError, collections_at, first_line
from gallery.transfer.parquet_export import ExportFile, export_gallery
from gallery.writing.writer import Writer
from project.request_error import RequestError


@contextmanager
def _gallery_errors() -> Iterator[None]:
    try:
        yield
    except GalleryInUseError as error:
        raise CommandError(f"{error}, usually the running service: stop it first") from error
    except RequestError as error:
        raise CommandError(error.message) from error
    except (TransferError, OSError, RuntimeError, ValueError) as error:
        # Lance and Arrow raise several types for files that they cannot read.
        raise CommandError(first_line(error)) from error


@_gallery_errors()
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
        files = asyncio.run(export_gallery(_place(uri, storage_option), folder, collection or [], report))
    for file in files:
        print_line(f"[green]exported[/] {escaped(file.name)}: {file.faces} faces in {escaped(str(file.path))}")


@_gallery_errors()
def import_files(
    uri: str, storage_options: list[str] | None, paths: Sequence[Path], into: str | None, report: ReportProgress
) -> list[parquet_import.Imported]:
    """Import exported files."""

    async def run() -> list[parquet_import.Imported]:
        async with _open_writer(_place(uri, storage_options)) as writer:
            return await parquet_import.import_files(writer, paths, report, into)

    return asyncio.run(run())


@_gallery_errors()
def exports(paths: Sequence[Path], into: str | None) -> list[ExportFile]:
    """Read the descriptions of exported files."""
    return parquet_import.exports(paths, into)


@_gallery_errors()
def backup_command(
    place: Annotated[str, typer.Argument(help="A folder or an object store location that is empty or does not exist.")],
    uri: UriOption = DEFAULT_URI,
    storage_option: StorageOption = None,
) -> None:
    """Copy the gallery. A service can run on the copy."""
    with progress_bar() as report:
        copied = asyncio.run(backup(_place(uri, storage_option), _place(place, storage_option), report))
    print_line(f"[green]backed up[/] {_count(copied)} to {escaped(place)}")


@_gallery_errors()
def restore_command(
    place: Annotated[str, typer.Argument(help="Folder or object store location of the backup.")],
    replace: Annotated[bool, typer.Option("--replace", help="Move an existing gallery aside.")] = False,
    uri: UriOption = DEFAULT_URI,
    storage_option: StorageOption = None,
) -> None:
    """Restore a backup to a gallery that is empty or does not exist."""
    source, target = _place(place, storage_option), _place(uri, storage_option)
    with progress_bar() as report:
        copied, aside = asyncio.run(restore(source, target, replace, report))
    print_line(f"[green]restored[/] {_count(copied)} from {escaped(place)}")
    if aside is not None:
        print_line(
            f"The previous gallery was moved to {escaped(str(aside))} and still contains its faces: "
            "delete that folder when you no longer need it."
        )


@_gallery_errors()
def clean_command(uri: UriOption = DEFAULT_URI, storage_option: StorageOption = None) -> None:
    """Erase deleted faces from the gallery's files."""
    place = _place(uri, storage_option)

    async def run() -> dict[str, int]:
        await collections_at(place)
        async with _open_writer(place) as writer:
            return await writer.clean()

    try:
        freed = asyncio.run(run())
    except GalleryInUseError as error:
        raise TransferError(f"{error}; a running service cleans up on POST /v1/gallery/clean") from error
    for name, size in freed.items():
        print_line(f"[green]cleaned[/] {escaped(name)}: {decimal(size)} freed")


@_gallery_errors()
def collections(uri: str, storage_options: list[str] | None) -> tuple[list[CollectionStatistics], list[str]]:
    """Return the collections of a gallery as the service describes them, and an error message for each damaged one."""
    place = _place(uri, storage_options)

    async def run() -> tuple[list[CollectionStatistics], list[str]]:
        reader, found, damaged = Reader(place, 0), list[CollectionStatistics](), list[str]()
        for collection in await collections_at(place):
            try:
                found.append(await _statistics(reader, collection.name))
            except RequestError as refused:
                damaged.append(refused.message)
        return found, damaged

    return asyncio.run(run())


@_gallery_errors()
def delete(uri: str, storage_options: list[str] | None, collection: str, subjects: Sequence[str]) -> Mapping[str, int]:
    """Delete subjects and return the number of faces of each."""
    place = _place(uri, storage_options)

    async def run() -> dict[str, int]:
        await collections_at(place)
        async with _open_writer(place) as writer:
            return {subject: await writer.delete_subjects(collection, [subject]) for subject in subjects}

    return asyncio.run(run())


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


@asynccontextmanager
async def _open_writer(place: Location) -> AsyncIterator[Writer]:
    writer = await Writer.open(place)
    try:
        yield writer
    finally:
        await writer.close()


def _place(uri: str, storage_options: list[str] | None) -> Location:
    options = {}
    for option in storage_options or []:
        key, separator, value = option.partition("=")
        if not (key and separator):
            raise typer.BadParameter(f"{option} is not KEY=VALUE", param_hint="--storage-option")
        options[key] = value
    # A gallery is locked only if it is a plain path.
    return Location(uri.removeprefix("file://"), options)


def _count(collections: Sequence[Collection]) -> str:
    return f"{len(collections)} collection{'' if len(collections) == 1 else 's'}"
