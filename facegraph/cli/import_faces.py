"""`facegraph gallery import`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import typer

from facegraph.cli.gallery import OfflineOption, check_offline
from facegraph.cli.gallery_files import gallery_errors, location_at, write_gallery
from facegraph.cli.options import DEFAULT_URI, DEFAULT_URL, ApiKeyOption, StorageOption, UriOption, UrlOption
from facegraph.cli.output import CommandError, ReportProgress, escaped, print_line, progress_bar, quantity
from facegraph.cli.service_client import service_client
from facegraph.client import Client, Collection, NotFoundError, ServiceError
from gallery.transfer.face_streams import cut, parquet_file
from gallery.transfer.parquet_export import ExportFile, import_errors
from gallery.transfer.parquet_import import exports, import_files

REQUEST_FACES = 16_384
"""Number of faces per request. After a lost connection, at most this many are sent again."""
RETRIES, DEADLINE_S = 100, 600.0
"""A request is repeated for up to ten minutes, long enough to restart the service."""


@gallery_errors()
def import_command(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Exported files, or folders of them.")],
    into: Annotated[
        str | None, typer.Option("--into", help="Name of the collection to import a single file into.")
    ] = None,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    offline: OfflineOption = False,
    uri: UriOption = DEFAULT_URI,
    storage_option: StorageOption = None,
) -> None:
    """Import exported faces, and create missing collections. Existing faces stay unchanged.

    If the connection is lost, the import continues when the service responds again. To complete an interrupted import,
    run the command again. --offline requires the service to be stopped.
    """
    check_offline(context, offline)
    if offline:
        with progress_bar() as report:
            location = location_at(uri, storage_option)
            imported = write_gallery(location, lambda writer: import_files(writer, paths, report, into), create=True)
        for done in imported:
            _print(done.collection, done.new, done.faces)
        return
    files = exports(paths, into)
    with progress_bar() as report, service_client(url, api_key, RETRIES, DEADLINE_S) as client:
        for file in files:
            _print(file.name, _import(client, file, report), file.faces)


def _print(collection: str, new: int, faces: int) -> None:
    print_line(f"[green]imported[/] {escaped(collection)}: {new} new of {quantity(faces, 'face')}")


def _import(client: Client, file: ExportFile, report: ReportProgress) -> int:
    """Send a file to the service, and return the number of new faces."""
    collection = _collection(client, file)
    if collection.embedding_contract != file.kind.contract:
        raise CommandError(
            f"{file.path} contains embeddings of {file.kind.model} (contract {file.kind.contract}), but {file.name} "
            f"contains those of {collection.model} (contract {collection.embedding_contract})"
        )
    new = done = 0
    report(f"importing {file.name}", 0, file.faces)
    for faces, data in _requests(file):
        try:
            new += client.import_embeddings(file.name, data, contract=file.kind.contract).enrolled
        except ServiceError as error:
            raise CommandError(f"{file.path}, after row {done}: {error}") from error
        done += faces
        report(f"importing {file.name}", done, file.faces)
    return new


def _collection(client: Client, file: ExportFile) -> Collection:
    """Return the collection that a file is imported into; create it if it does not exist."""
    try:
        return client.collection(file.name)
    except NotFoundError:
        return client.put_collection(file.name, embedder=file.kind.embedder, threshold=file.threshold)


def _requests(file: ExportFile) -> Iterator[tuple[int, bytes]]:
    """Yield the number of faces and the body of each request, an Arrow stream."""
    with import_errors(file.path), parquet_file(file.path) as (_, batches):
        for batch in cut(batches, REQUEST_FACES):
            stream = pa.BufferOutputStream()
            with pa.ipc.new_stream(stream, batch.schema) as writer:
                writer.write_table(pa.Table.from_batches([batch]), max_chunksize=1024)
            yield len(batch), stream.getvalue().to_pybytes()
