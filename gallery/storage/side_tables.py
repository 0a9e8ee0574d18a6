"""The tables beside a table of faces. Each is created when it is first needed.

Beside "faces-X" are "removed-X" (`gallery.storage.removals`), "empty-X" (`gallery.storage.empty_subjects`) and
"answers-X" (`gallery.writing.request_answers`).
"""

import contextlib
from typing import Literal

from lancedb import AsyncConnection

from gallery.storage.tables import KEPT, UNREADABLE, open_if_created

SideTable = Literal["removed", "empty", "answers"]


def beside(table: str, kind: SideTable) -> str:
    """Return the name of a table beside `table`, which is a table of faces or one of its side tables."""
    return f"{kind}-{table.partition('-')[2]}"


async def merge_beside(connection: AsyncConnection, table: str, *kinds: SideTable) -> None:
    """Merge the small files of tables beside a table of faces, except those that are missing or damaged."""
    for kind in kinds:
        with contextlib.suppress(*UNREADABLE):
            if side := await open_if_created(connection, beside(table, kind)):
                await side.optimize(cleanup_older_than=KEPT)


async def drop_beside(connection: AsyncConnection, table: str, *kinds: SideTable) -> None:
    """Delete tables beside a table of faces, if they exist."""
    for kind in kinds:
        await connection.drop_table(beside(table, kind), ignore_missing=True)
