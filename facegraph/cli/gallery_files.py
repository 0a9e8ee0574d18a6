"""`facegraph gallery` on the gallery's files: export, import, backup, restore, clean, and what works offline."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal

from facegraph.cli.options import DEFAULT_URI, StorageOption, UriOption
from facegraph.cli.terminal import CommandError, Report, progress, say, shown
from facegraph.client import CollectionStatistics
from gallery.backup import backup, restore
from gallery.disk import GalleryInUseError
from gallery.location import Location
from gallery.parquet_export import export_gallery
from gallery.parquet_import import import_files
from gallery.reader import Reader
from gallery.records import Collection
from gallery.transfer import TransferError, collections_at, first_line
from gallery.writer import Writer
from imaging.refused import Refused


@contextmanager
def _mistakes() -> Iterator[None]:
    try:
        yield
    except GalleryInUseError as error:
        raise CommandError(f"{error}, the running service as a rule: stop it first") from error
    except Refused as error:
        raise CommandError(error.message) from error
    except (TransferError, OSError, RuntimeError, ValueError) as error:
        # Lance and Arrow tell of files that they cannot read by several types.
        raise CommandError(first_line(error)) from error


@_mistakes()
def export_command(
    folder: Annotated[Path, typer.Argument(help="Gets a Parquet file a collection; empty, or not there yet.")],
    collection: Annotated[list[str] | None, typer.Option("--collection", help="May be repeated. Default: all.")] = None,
    uri: UriOption = DEFAULT_URI,
    storage_option: StorageOption = None,
) -> None:
    """Write collections to Parquet files. The service may go on meanwhile."""
    with progress() as report:
        files = asyncio.run(export_gallery(_place(uri, storage_option), folder, collection or [], report))
    for file in files:
        say(f"[green]exported[/] {shown(file.name)}: {file.faces} faces in {shown(str(file.path))}")


@_mistakes()
def import_command(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Exported files, or folders of them.")],
    into: Annotated[
        str | None, typer.Option("--into", help="Import the only file into a collection of this name.")
    ] = None,
    uri: UriOption = DEFAULT_URI,
    storage_option: StorageOption = None,
) -> None:
    """Add exported faces. What is there already is left alone, so an import can be made again."""

    async def run(report: Report) -> None:
        async with _writing(_place(uri, storage_option)) as writer:
            for done in await import_files(writer, paths, report, into):
                say(f"[green]imported[/] {shown(done.collection)}: {done.new} new of {done.faces} faces")

    with progress() as report:
        asyncio.run(run(report))


@_mistakes()
def backup_command(
    place: Annotated[str, typer.Argument(help="A folder or an address, with nothing there.")],
    uri: UriOption = DEFAULT_URI,
    storage_option: StorageOption = None,
) -> None:
    """Copy the gallery. The service may go on meanwhile, and can run on the copy."""
    with progress() as report:
        copied = asyncio.run(backup(_place(uri, storage_option), _place(place, storage_option), report))
    say(f"[green]backed up[/] {_collections(copied)} to {shown(place)}")


@_mistakes()
def restore_command(
    place: Annotated[str, typer.Argument(help="Of the backup.")],
    replace: Annotated[bool, typer.Option("--replace", help="Set the gallery that is there aside.")] = False,
    uri: UriOption = DEFAULT_URI,
    storage_option: StorageOption = None,
) -> None:
    """Bring a backup back, into a gallery that has nothing or is not there."""
    source, target = _place(place, storage_option), _place(uri, storage_option)
    with progress() as report:
        copied, aside = asyncio.run(restore(source, target, replace, report))
    say(f"[green]restored[/] {_collections(copied)} from {shown(place)}")
    if aside is not None:
        say(
            f"The gallery that was there is {shown(str(aside))} now and still holds its faces: "
            "delete that folder by hand when you need it no more."
        )


@_mistakes()
def clean_command(uri: UriOption = DEFAULT_URI, storage_option: StorageOption = None) -> None:
    """Erase deleted faces from the gallery's files."""
    place = _place(uri, storage_option)

    async def run() -> dict[str, int]:
        await collections_at(place)
        async with _writing(place) as writer:
            return await writer.clean()

    try:
        freed = asyncio.run(run())
    except GalleryInUseError as error:
        raise TransferError(f"{error}; the service cleans it up itself when asked by POST /v1/gallery/clean") from error
    for name, size in freed.items():
        say(f"[green]cleaned[/] {shown(name)}: {decimal(size)} freed")


@_mistakes()
def collections(uri: str, storage_options: list[str] | None) -> tuple[list[CollectionStatistics], list[str]]:
    """The collections of a gallery, as a service describes them, and a sentence about each damaged one."""
    place = _place(uri, storage_options)

    async def run() -> tuple[list[CollectionStatistics], list[str]]:
        reader, found, damaged = Reader(place, 0), list[CollectionStatistics](), list[str]()
        for collection in await collections_at(place):
            try:
                found.append(await _described(reader, collection))
            except Refused as refused:
                damaged.append(refused.message)
        return found, damaged

    return asyncio.run(run())


@_mistakes()
def delete(uri: str, storage_options: list[str] | None, collection: str, subjects: Sequence[str]) -> Mapping[str, int]:
    """Delete subjects; how many faces each had."""
    place = _place(uri, storage_options)

    async def run() -> dict[str, int]:
        await collections_at(place)
        async with _writing(place) as writer:
            return {subject: await writer.delete_subjects(collection, [subject]) for subject in subjects}

    return asyncio.run(run())


async def _described(reader: Reader, collection: Collection) -> CollectionStatistics:
    kind, counted = collection.kind, await reader.statistics(collection)
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
async def _writing(place: Location) -> AsyncIterator[Writer]:
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
    # Only a plain path is known as a folder, which has a lock.
    return Location(uri.removeprefix("file://"), options)


def _collections(collections: list[Collection]) -> str:
    return f"{len(collections)} collection{'' if len(collections) == 1 else 's'}"
