"""The schemas of the registry and of the tables of faces, their rows, and filters."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from lancedb import AsyncConnection, AsyncTable
from numpy.typing import NDArray

from gallery.errors import key_reused
from gallery.location import Location
from gallery.records import Collection, EmbeddingKind, NewFace, digest, subject_key
from gallery.unit_vectors import normalised
from project.request_error import RequestError

REGISTRY = "collections"
"""Name of the table that lists the collections."""
UNREADABLE = (RuntimeError, ValueError, OSError)
"""Raised by LanceDB for files that are damaged, missing or unreachable."""
KEPT = timedelta(minutes=10)
"""How long old versions of a table are kept for searches that still use them."""
TIME = pa.timestamp("us", tz="UTC")
PRIMARY_KEY = {"lance-schema:unenforced-primary-key:position": "1"}
"""Marks a field as primary key, so that concurrent merges cannot insert a key twice.

Tables are created with it. If it were added later, their schema would differ from the one passed to `create_table`.
"""

REGISTRY_SCHEMA = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False, metadata=PRIMARY_KEY),
        pa.field("table", pa.string(), nullable=False),
        pa.field("embedder", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("contract", pa.string(), nullable=False),
        pa.field("size", pa.int32(), nullable=False),
        pa.field("threshold", pa.float64()),
        pa.field("created", TIME, nullable=False),
        # Set before the table of faces is dropped, so that an interrupted drop can be completed.
        pa.field("dropped", pa.bool_(), nullable=False),
    ]
)


def faces_schema(size: int) -> pa.Schema:
    """The schema of a table of faces with embeddings of length `size`.

    ``commit`` grows with every commit, so a reader can query the rows that are new to it. ``request`` and
    ``request_digest`` belong to the request that enrolled the face, if it had an idempotency key. ``source`` is
    `NewFace.source_number`; null for faces that an earlier version enrolled, whose tables lack the column. ``place`` is
    `FacePlace.text`; null if it is not stored.
    """
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False, metadata=PRIMARY_KEY),
            pa.field("subject", pa.string(), nullable=False),
            pa.field("subject_key", pa.string(), nullable=False),
            pa.field("label", pa.string(), nullable=False),
            pa.field("created", TIME, nullable=False),
            pa.field("commit", pa.int64(), nullable=False),
            pa.field("request", pa.string()),
            pa.field("request_digest", pa.string()),
            pa.field("vector", pa.list_(pa.float32(), size), nullable=False),
            # Last, because they are added to existing tables as the last columns.
            pa.field("source", pa.int64()),
            pa.field("place", pa.string()),
        ]
    )


def description(collection: Collection) -> dict[str, object]:
    """Return a collection as named values, without its table."""
    own = {"name": collection.name, "threshold": collection.threshold, "created": collection.created}
    return own | asdict(collection.kind)


async def open_if_created(connection: AsyncConnection, name: str) -> AsyncTable | None:
    """Open a table; None if it does not exist, or if its creation was interrupted, so that it has no version yet.

    In an object store, an interrupted creation counts as damage.

    Raises:
        Exception: one of `UNREADABLE`: the table is damaged, or cannot be reached.
    """
    folder = None if "://" in connection.uri else Path(connection.uri) / f"{name}.lance"
    # Takes microseconds. LanceDB takes milliseconds to fail.
    if folder and not folder.is_dir():
        return None
    try:
        return await connection.open_table(name)
    except UNREADABLE:
        # A table that does not exist raises the same errors as one that is damaged.
        listed = folder is None and name in (await connection.list_tables()).tables
        if listed or (folder and any((folder / "_versions").glob("*.manifest"))):
            raise
        return None


def is_missing(location: Location) -> bool:
    """Whether a gallery in a folder has no registry, because it was not created yet, or was moved or unmounted."""
    return location.folder is not None and not os.path.isdir(location.folder / f"{REGISTRY}.lance")


async def wait_until_created(location: Location, seconds: float) -> None:
    """Wait until the gallery has a registry, at most `seconds`. Returns at once if the registry cannot be read."""
    with suppress(*UNREADABLE):
        async with asyncio.timeout(seconds):
            while is_missing(location):
                # LanceDB would create the folder.
                await asyncio.sleep(0.1)
            connection = await location.connect()
            while await open_if_created(connection, REGISTRY) is None:
                await asyncio.sleep(0.1)


def collection_of(row: Mapping[str, Any]) -> Collection:
    """Return the collection in a row of the registry."""
    kind = EmbeddingKind(row["embedder"], row["model"], row["contract"], row["size"])
    return Collection(row["name"], kind, row["threshold"], row["created"], row["table"])


def face_rows(faces: Mapping[str, NewFace], size: int, commit: int, request: tuple[str, str] | None) -> pa.Table:
    """Build rows for a table of faces.

    Args:
        faces: the faces to enrol, by the ids that they get.
        size: length of an embedding.
        commit: number of the commit.
        request: idempotency key and digest of the request.

    Raises:
        RequestError: ``INVALID_EMBEDDING`` or ``INVALID_SUBJECT``.
    """
    schema, new, count = faces_schema(size), faces.values(), len(faces)
    if not new:
        return schema.empty_table()
    # Scaling an exported embedding again changes no bit of it: with 128 numbers or more, rounding errors cancel out.
    flat = pa.array(np.concatenate([normalised(face.embedding, size) for face in new]), pa.float32())
    columns = {
        "id": list(faces),
        "subject": [face.subject for face in new],
        "subject_key": [subject_key(face.subject) for face in new],
        "label": [face.label for face in new],
        "created": [datetime.now(UTC)] * count,
        "commit": [commit] * count,
        "request": [digest(request[0]) if request else None] * count,
        "request_digest": [request[1] if request else None] * count,
        "vector": pa.FixedSizeListArray.from_arrays(flat, size),
        "source": [face.source_number for face in new],
        "place": [face.place and face.place.text for face in new],
    }
    return pa.table(columns, schema=schema)


def imported_rows(faces: pa.RecordBatch, size: int, commit: int) -> pa.Table:
    """Build rows for a table of faces from a batch that `gallery.transfer.face_batches.checked_batch` returned.

    Args:
        size: length of an embedding in the table.
        commit: number of the commit.

    Raises:
        RequestError: ``INVALID_EMBEDDING``: the faces have embeddings of another size.
    """
    if (given := faces.schema.field("vector").type.list_size) != size:
        raise RequestError("INVALID_EMBEDDING", f"The embeddings have {given} numbers; the collection requires {size}")
    columns = {name: faces[name] for name in faces.schema.names} | {"commit": pa.repeat(commit, len(faces))}
    schema = faces_schema(size)
    return pa.table(
        [columns.get(name, pa.nulls(len(faces), schema.field(name).type)) for name in schema.names], schema=schema
    )


def with_column(faces: pa.Table, field: pa.Field, values: Sequence[object]) -> pa.Table:
    """Return `faces` with other `values` in a column, or with one more column."""
    place, column = faces.schema.get_field_index(field.name), pa.array(values, field.type)
    return faces.append_column(field, column) if place < 0 else faces.set_column(place, field, column)


async def add_missing_columns(table: AsyncTable, size: int) -> None:
    """Add the columns that a table of faces lacks because an earlier version created it."""
    names = (await table.schema()).names
    if missing := [field for field in faces_schema(size) if field.name not in names]:
        await table.add_columns(pa.schema(missing))


def vectors_of(column: pa.FixedSizeListArray | pa.ChunkedArray, size: int) -> NDArray[np.float32]:
    """Convert a column of vectors to float32 (rows, size)."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return np.asarray(array.flatten().to_numpy(zero_copy_only=False), dtype=np.float32).reshape(-1, size)


def one_of(column: str, keys: Sequence[str]) -> str:
    """Return a filter for rows whose `column` is one of `keys`, which are hex digits and need no escaping."""
    assert all(key.isalnum() and key.isascii() for key in keys)
    listed = ", ".join(f"'{key}'" for key in keys)
    return f"{column} IN ({listed})" if keys else "false"


async def rows(table: AsyncTable, where: str, columns: Sequence[str]) -> list[dict[str, object]]:
    """Return the `columns` of the rows that match the filter `where`."""
    found: list[dict[str, object]] = await table.query().where(where).select(list(columns)).to_list()
    return found


async def known_ids(table: AsyncTable, ids: Sequence[str]) -> set[str]:
    """Return the `ids` that a table of faces contains."""
    return {str(row["id"]) for row in await rows(table, one_of("id", ids), ["id"])} if ids else set()


async def is_repeated(table: AsyncTable, request: tuple[str, str]) -> bool:
    """Whether a table contains a face that this request enrolled.

    Args:
        request: idempotency key and digest of the request.

    Raises:
        RequestError: ``IDEMPOTENCY_KEY_REUSED``: the key was used for a different request.
    """
    key, request_digest = digest(request[0]), request[1]
    found = await rows(table, one_of("request", [key]), ["request_digest"])
    if any(row["request_digest"] != request_digest for row in found):
        raise key_reused()
    return bool(found)
