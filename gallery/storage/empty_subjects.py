"""Subjects without faces. They are listed in a separate table, which is created when the first one is listed.

A subject exists if it has a face or is listed here. A listed subject may still have faces, if they were enrolled later
or if the writer was killed between the two commits of a change.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

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


@asynccontextmanager
async def copying_empty(theirs: AsyncConnection, table: str, ours: AsyncConnection) -> AsyncIterator[None]:
    """Copy the subjects listed beside `table` to another gallery. The block copies the table of faces itself.

    The subjects are those listed before or after the block, so one that gets its first face meanwhile is not lost.
    """
    before = await _listed(theirs, table)
    yield
    rows = {row["subject_key"]: row for row in before + await _listed(theirs, table)}
    await drop_beside(ours, table, "empty")
    if rows:
        listed = pa.Table.from_pylist(list(rows.values()), schema=EMPTY_SCHEMA)
        await ours.create_table(beside(table, "empty"), listed, schema=EMPTY_SCHEMA)


async def _listed(connection: AsyncConnection, table: str) -> list[dict[str, Any]]:
    empty = await open_empty(connection, table)
    return [] if empty is None else await empty.query().to_list()
