"""Answers to requests with a token, so that a repeated request gets the same answer and changes nothing again.

The answers are in a separate table beside the table of faces, created for the first answer. They contain ids of faces
and subjects, so a clean-up deletes the table, and backups do not contain it. A damaged table is dropped and later
replaced by a new one.
"""

import contextlib
import logging
from collections.abc import Iterator

import pyarrow as pa
from lancedb import AsyncConnection

from gallery.errors import key_reused
from gallery.records import KeptAnswer, digest
from gallery.storage.object_store import store_problem
from gallery.storage.side_tables import beside, drop_beside
from gallery.storage.tables import UNREADABLE, one_of, open_if_created, rows

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
    """Return the answer that was kept for a request; None if there is none. Damaged answers are dropped.

    Args:
        table: name of the table of faces.
        request: token and digest of the request.

    Raises:
        RequestError: ``IDEMPOTENCY_KEY_REUSED``: the token was used for a different request.
        Exception: the answers cannot be read at present.
    """
    name = beside(table, "answers")
    try:
        if (answers := await open_if_created(connection, name)) is None:
            return None
        found = await rows(answers, one_of("request", [digest(request[0])]), ["request_digest", "answer"])
    except UNREADABLE as error:
        if not await _is_damaged(connection, name):
            raise
        logger.warning("gallery: forgetting the answers beside %s after %r", table, error)
        await drop_beside(connection, table, "answers")
        return None
    if any(row["request_digest"] != request[1] for row in found):
        raise key_reused()
    return str(found[0]["answer"]) if found else None


async def store_answer(connection: AsyncConnection, table: str, kept: KeptAnswer) -> None:
    """Keep the answer to a request in one commit. `answer_to` must have found none since the collection was locked.

    Args:
        table: as in `answer_to`.

    Raises:
        Exception: the disk is full, or the answers cannot be written at present.
    """
    answers = await connection.create_table(beside(table, "answers"), schema=ANSWERS_SCHEMA, exist_ok=True)
    # Not merged by the token, which would take three times as long.
    row = [[digest(kept.request[0])], [kept.request[1]], [kept.answer]]
    await answers.add(pa.table(row, schema=ANSWERS_SCHEMA))


@contextlib.contextmanager
def storing_may_fail() -> Iterator[None]:
    """Log errors in storing an answer instead of raising them: the change is made, so the request has succeeded."""
    try:
        yield
    except Exception as error:
        logger.warning("gallery: the answer to a request was not kept: %r", error)


async def _is_damaged(connection: AsyncConnection, name: str) -> bool:
    """Whether the answers that could not be read are damaged, so that a second try would fail as well.

    Raises:
        Exception: the object store has a problem.
    """
    try:
        await (await connection.open_table(name)).query().to_arrow()
    except UNREADABLE as error:
        if store_problem(error):
            raise
        return True
    return False
