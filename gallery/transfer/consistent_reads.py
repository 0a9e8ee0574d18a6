"""Reading whole collections consistently, for exports and backups."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable

import pyarrow as pa
from lancedb import AsyncConnection, AsyncTable

from gallery.location import Location
from gallery.reading.reader import Reader
from gallery.records import Collection
from gallery.storage.tables import is_missing
from project.request_error import RequestError

BATCH = 4096
"""Number of faces read and written at a time, and committed at a time by an import."""
ATTEMPTS = 3
"""Maximum number of attempts to read a table. An attempt fails if a clean-up removes files that are being read."""

Report = Callable[[str, int, int | None], None]
"""Reports progress: what is being done, the faces done, and the total number of faces if known."""


class TransferError(Exception):
    """Faces cannot be copied for a reason that an operator can fix. The message is one sentence."""


async def collections_at(location: Location) -> list[Collection]:
    """Return the collections of the gallery at `location`, sorted by name.

    Raises:
        TransferError: there is no gallery.
    """
    # LanceDB creates any folder it opens.
    if is_missing(location):
        raise TransferError(f"there is no gallery at {location.uri}")
    try:
        return await Reader(location, 0).collections()
    except (OSError, RuntimeError, ValueError) as error:
        raise TransferError(f"there is no gallery at {location.uri}: {first_line(error)}") from error


async def read_one_version(
    connection: AsyncConnection, name: str, read: Callable[[AsyncTable], Awaitable[None]]
) -> None:
    """Call `read` with one version of a table.

    The running service may remove that version in a clean-up. `read` is then called again with the newest version.

    Raises:
        TransferError: the table was dropped.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            table = await connection.open_table(name)
        except ValueError as error:
            raise TransferError(
                f"a collection was deleted before it was copied ({name}): run the command again"
            ) from error
        version = await table.version()
        try:
            await read(table)
            return
        except RuntimeError:
            if attempt == ATTEMPTS or await (await connection.open_table(name)).version() == version:
                raise


async def batches(table: AsyncTable, schema: pa.Schema, what: str, report: Report) -> AsyncIterator[pa.RecordBatch]:
    """Yield the columns of `schema` for all rows of the open version of `table`."""
    done, total = 0, await table.count_rows()
    report(what, 0, total)
    async for batch in await table.query().select(schema.names).to_batches(max_batch_length=BATCH):
        yield pa.RecordBatch.from_arrays([batch[name] for name in schema.names], schema=schema)
        done += batch.num_rows
        report(what, done, total)


def first_line(error: Exception) -> str:
    """Return the first line of an error of Lance or Arrow, without the position in their source code."""
    text = error.message if isinstance(error, RequestError) else str(error)
    return re.split(r",? *(?:location: |/\S*\.cargo/)", (text.splitlines() or [repr(error)])[0])[0]
