"""Answers to requests with a token, so that a repeated request gets the same answer and changes nothing again.

They are in a table of their own beside the table of faces, made for the first one. They contain ids of faces and
subjects, so a clean-up deletes the table, and backups do not contain it. If it is damaged, it is started again.
"""

import contextlib
import logging

import pyarrow as pa
from lancedb import AsyncConnection

from gallery.errors import is_full, key_reused
from gallery.records import digest
from gallery.storage.tables import KEPT, UNREADABLE, one_of, rows

logger = logging.getLogger("ray.serve")

ANSWERS_SCHEMA = pa.schema(
    [
        # Digest of the token.
        pa.field("request", pa.string(), nullable=False),
        pa.field("request_digest", pa.string(), nullable=False),
        pa.field("answer", pa.string(), nullable=False),
    ]
)


async def answer_to(connection: AsyncConnection, table: str, request: tuple[str, str]) -> str | None:
    """Return the answer that was kept for a request; None if there is none.

    Args:
        table: name of the table of faces.
        request: token and digest of the request.

    Raises:
        RequestError: ``IDEMPOTENCY_KEY_REUSED``: the token was used for a different request.
    """
    try:
        answers = await connection.open_table(_answers_of(table))
        found = await rows(answers, one_of("request", [digest(request[0])]), ["request_digest", "answer"])
    except UNREADABLE:
        return None
    if any(row["request_digest"] != request[1] for row in found):
        raise key_reused()
    return str(found[0]["answer"]) if found else None


async def store_answer(connection: AsyncConnection, table: str, request: tuple[str, str], answer: str) -> None:
    """Keep the answer to a request in one commit.

    Raises:
        Exception: the disk is full.
    """
    row = pa.table([[digest(request[0])], [request[1]], [answer]], schema=ANSWERS_SCHEMA)
    try:
        answers = await connection.create_table(_answers_of(table), schema=ANSWERS_SCHEMA, exist_ok=True)
        # Not merged by the token, which would take three times as long. Two equal answers do no harm.
        await answers.add(row)
    except UNREADABLE as error:
        if is_full(error):
            raise
        logger.warning("gallery: forgetting the answers beside %s after %r", table, error)
        await drop_answers(connection, table)


async def merge_answers(connection: AsyncConnection, table: str) -> None:
    """Merge the small files of the answers beside a table of faces, if there are any."""
    # A damaged table is replaced when the next answer is stored.
    with contextlib.suppress(*UNREADABLE):
        await (await connection.open_table(_answers_of(table))).optimize(cleanup_older_than=KEPT)


async def drop_answers(connection: AsyncConnection, table: str) -> None:
    """Delete the answers beside a table of faces, if there are any."""
    await connection.drop_table(_answers_of(table), ignore_missing=True)


def _answers_of(table: str) -> str:
    return f"answers-{table.removeprefix('faces-')}"
