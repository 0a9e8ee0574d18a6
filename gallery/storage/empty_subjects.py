"""Subjects without faces. They are listed in a separate table, which is created when the first one is listed.

A subject exists if it has a face or is listed here. A listed subject may still have faces, if they were enrolled later
or if the writer was killed between the two commits of a change.
"""

import pyarrow as pa
from lancedb import AsyncConnection, AsyncTable

from gallery.records import subject_key
from gallery.storage.side_tables import beside, drop_beside
from gallery.storage.tables import PRIMARY_KEY, one_of, open_if_created

EMPTY_SCHEMA = pa.schema(
    [
        pa.field("subject_key", pa.string(), nullable=False, metadata=PRIMARY_KEY),
        pa.field("subject", pa.string(), nullable=False),
        # Digest of the request that created the subject; empty if its last face was removed.
        pa.field("request", pa.string(), nullable=False),
    ]
)


async def open_empty(connection: AsyncConnection, table: str) -> AsyncTable | None:
    """Open the table of empty subjects that belongs to the table of faces `table`; None if it does not exist."""
    return await open_if_created(connection, beside(table, "empty"))


async def empty_subjects(connection: AsyncConnection, table: str) -> dict[str, str]:
    """Return the listed subjects, and the digest of the request that created each."""
    empty = await open_empty(connection, table)
    if empty is None:
        return {}
    found = await empty.query().to_arrow()
    return dict(zip(found["subject"].to_pylist(), found["request"].to_pylist(), strict=True))


async def list_empty(
    connection: AsyncConnection, table: str, subject: str, request: str, *, may_be_listed: bool
) -> None:
    """List a subject in one commit.

    Args:
        request: digest of the request that created it; empty if its last face was removed.
        may_be_listed: whether the subject may already be listed. Its digest is then replaced, which takes five times as
            long.
    """
    empty = await connection.create_table(beside(table, "empty"), schema=EMPTY_SCHEMA, exist_ok=True)
    row = pa.table([[subject_key(subject)], [subject], [request]], schema=EMPTY_SCHEMA)
    if may_be_listed:
        await empty.merge_insert("subject_key").when_matched_update_all().when_not_matched_insert_all().execute(row)
    else:
        await empty.add(row)


async def unlist_empty(connection: AsyncConnection, table: str, keys: list[str]) -> None:
    """Remove the subjects with these keys from the list."""
    empty = await open_empty(connection, table)
    if empty is not None and await empty.count_rows(where := one_of("subject_key", keys)):
        await empty.delete(where)


async def copy_empty(theirs: AsyncConnection, table: str, ours: AsyncConnection) -> None:
    """Copy the table of empty subjects that belongs to `table`, if it exists, to another gallery."""
    await drop_beside(ours, table, "empty")
    empty = await open_empty(theirs, table)
    if empty is not None:
        await ours.create_table(beside(table, "empty"), await empty.query().to_arrow(), schema=EMPTY_SCHEMA)
