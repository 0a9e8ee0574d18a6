"""The gallery command: `python -m gallery list | export | import | backup | restore | clean | delete`."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from gallery.backup import backup, restore
from gallery.disk import GalleryInUseError
from gallery.place import Place
from gallery.reader import Reader
from gallery.records import Collection, Statistics
from gallery.transfer import Report, TransferError, export_gallery, first_line, import_files, listed
from gallery.writer import Writer
from imaging.refused import Refused

ROOT = Path(__file__).resolve().parents[1]

app = typer.Typer(help="List, copy, clean and bring back enrolled faces.", no_args_is_help=True, add_completion=False)
console = Console()

UriOption = Annotated[
    str, typer.Option("--uri", envvar="GALLERY_URI", help="The gallery: a folder, or an address such as s3://x/y.")
]
StorageOption = Annotated[
    list[str] | None,
    typer.Option(
        "--storage-option",
        metavar="KEY=VALUE",
        help="For an object store, as LanceDB has them; it reads AWS_... variables by itself. May be repeated.",
    ),
]
DEFAULT_URI = str(ROOT / "data" / "gallery")


@app.command("list")
def list_command(uri: UriOption = DEFAULT_URI, storage_option: StorageOption = None) -> None:
    """Show the collections."""
    table = Table(
        "collection", "model", "contract", "faces", "subjects", "size", "last change", box=None, header_style="bold"
    )
    for collection, counted in asyncio.run(_statistics(_place(uri, storage_option))):
        texts = [collection.name, collection.kind.model, collection.kind.contract]
        numbers = [str(counted.faces), str(counted.subjects), decimal(counted.bytes)]
        table.add_row(*map(_shown, texts), *numbers, counted.changed.isoformat(" ", "seconds"))
    console.print(table)


@app.command("export")
def export_command(
    folder: Annotated[Path, typer.Argument(help="Gets a Parquet file a collection; empty, or not there yet.")],
    collection: Annotated[list[str] | None, typer.Option("--collection", help="May be repeated. Default: all.")] = None,
    uri: UriOption = DEFAULT_URI,
    storage_option: StorageOption = None,
) -> None:
    """Write collections to Parquet files. The service may go on meanwhile."""
    with _progress() as report:
        files = asyncio.run(export_gallery(_place(uri, storage_option), folder, collection or [], report))
    for file in files:
        _say(f"[green]exported[/] {_shown(file.name)}: {file.faces} faces in {_shown(str(file.path))}")


@app.command("import")
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
                _say(f"[green]imported[/] {_shown(done.collection)}: {done.new} new of {done.faces} faces")

    with _progress() as report:
        asyncio.run(run(report))


@app.command("backup")
def backup_command(
    place: Annotated[str, typer.Argument(help="A folder or an address, with nothing there.")],
    uri: UriOption = DEFAULT_URI,
    storage_option: StorageOption = None,
) -> None:
    """Copy the gallery. The service may go on meanwhile, and can run on the copy."""
    with _progress() as report:
        copied = asyncio.run(backup(_place(uri, storage_option), _place(place, storage_option), report))
    _say(f"[green]backed up[/] {_collections(copied)} to {_shown(place)}")


@app.command("restore")
def restore_command(
    place: Annotated[str, typer.Argument(help="Of the backup.")],
    replace: Annotated[bool, typer.Option("--replace", help="Set the gallery that is there aside.")] = False,
    uri: UriOption = DEFAULT_URI,
    storage_option: StorageOption = None,
) -> None:
    """Bring a backup back, into a gallery that has nothing or is not there."""
    source, target = _place(place, storage_option), _place(uri, storage_option)
    with _progress() as report:
        copied, aside = asyncio.run(restore(source, target, replace, report))
    _say(f"[green]restored[/] {_collections(copied)} from {_shown(place)}")
    if aside is not None:
        _say(
            f"The gallery that was there is {_shown(str(aside))} now and still holds its faces: "
            "delete that folder by hand when you need it no more."
        )


@app.command("clean")
def clean_command(uri: UriOption = DEFAULT_URI, storage_option: StorageOption = None) -> None:
    """Erase deleted faces from the gallery's files."""
    place = _place(uri, storage_option)

    async def run() -> dict[str, int]:
        await listed(place)
        async with _writing(place) as writer:
            return await writer.clean()

    try:
        freed = asyncio.run(run())
    except GalleryInUseError as error:
        raise TransferError(f"{error}; the service cleans it up itself when asked by POST /v1/gallery/clean") from error
    for name, size in freed.items():
        _say(f"[green]cleaned[/] {_shown(name)}: {decimal(size)} freed")


@app.command("delete")
def delete_command(
    collection: Annotated[str, typer.Argument(help="Where they are.")],
    subjects: Annotated[list[str], typer.Argument(metavar="SUBJECT...", help="Their ids.")],
    uri: UriOption = DEFAULT_URI,
    storage_option: StorageOption = None,
) -> None:
    """Delete every face of some subjects; `clean` then erases them from the files, too."""
    place = _place(uri, storage_option)

    async def run() -> None:
        await listed(place)
        async with _writing(place) as writer:
            for subject in subjects:
                faces = await writer.delete_subjects(collection, [subject])
                what = f"[green]deleted[/] {faces} faces of" if faces else "[yellow]no faces[/] of"
                _say(f"{what} {_shown(subject)}")

    asyncio.run(run())


async def _statistics(place: Place) -> list[tuple[Collection, Statistics]]:
    reader = Reader(place, 0)
    return [(collection, await reader.statistics(collection)) for collection in await listed(place)]


@asynccontextmanager
async def _writing(place: Place) -> AsyncIterator[Writer]:
    writer = await Writer.open(place)
    try:
        yield writer
    finally:
        await writer.close()


@contextmanager
def _progress() -> Iterator[Report]:
    text = TextColumn("{task.description}", markup=False)
    columns = (SpinnerColumn(), text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # Where there is no terminal to draw on, rich leaves empty lines.
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)

        def report(what: str, done: int, total: int | None) -> None:
            progress.update(task, description=_plain(what), completed=done, total=total)

        yield report


def _place(uri: str, storage_options: list[str] | None) -> Place:
    options = {}
    for option in storage_options or []:
        key, separator, value = option.partition("=")
        if not (key and separator):
            raise typer.BadParameter(f"{option} is not KEY=VALUE", param_hint="--storage-option")
        options[key] = value
    # Only a plain path is known as a folder, which has a lock.
    return Place(uri.removeprefix("file://"), options)


def _say(text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True)


def _collections(collections: list[Collection]) -> str:
    return f"{len(collections)} collection{'' if len(collections) == 1 else 's'}"


def _plain(text: str) -> str:
    """A client's text without what would steer the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _shown(text: str) -> str:
    return escape(_plain(text))


def main() -> None:
    """Run the command; an operator's mistake ends it with one sentence and status 1."""
    try:
        app()
    except GalleryInUseError as error:
        _end(f"{error}, the running service as a rule: stop it first")
    except Refused as error:
        _end(error.message)
    except (TransferError, OSError, RuntimeError, ValueError) as error:
        # Lance and Arrow tell of files that they cannot read by several types.
        _end(first_line(error))


def _end(message: str) -> None:
    Console(stderr=True).print(f"[red]error[/] {_shown(message)}", highlight=False, soft_wrap=True)
    raise SystemExit(1) from None


if __name__ == "__main__":
    main()
