"""How the gallery lies in LanceDB: two kinds of tables."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from lancedb import AsyncTable
from numpy.typing import NDArray

from gallery.records import Collection, EmbeddingKind, digest
from imaging.refused import Refused

REGISTRY = "collections"
UNREADABLE = (RuntimeError, ValueError, OSError)
"""What LanceDB raises of files that are damaged, gone or out of reach."""
TIME = pa.timestamp("us", tz="UTC")
PRIMARY_KEY = {"lance-schema:unenforced-primary-key:position": "1"}
"""What Lance has on a field so that two merges at once cannot insert the same key; here, a table has it from the start.

A table that gets it afterwards has another schema than its maker asks for.
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
        # Set before the faces' table is dropped, so that a dropping that was cut short can be finished.
        pa.field("dropped", pa.bool_(), nullable=False),
    ]
)


def faces_schema(size: int) -> pa.Schema:
    """The table of a collection's faces.

    ``commit`` grows with every commit, so that a reader can ask for what is new to it. ``request`` and
    ``request_digest`` are of the request that enrolled the face, where it had an idempotency key.
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
        ]
    )


def collection_of(row: Mapping[str, object]) -> Collection:
    """A row of the registry as a record."""
    kind = EmbeddingKind(str(row["embedder"]), str(row["model"]), str(row["contract"]), int(str(row["size"])))
    return Collection(str(row["name"]), kind, row["threshold"], row["created"], str(row["table"]))  # type: ignore[arg-type]


def vectors_of(column: "pa.FixedSizeListArray | pa.ChunkedArray", size: int) -> NDArray[np.float32]:
    """A column of vectors as float32 (rows, size)."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return np.asarray(array.flatten().to_numpy(zero_copy_only=False), dtype=np.float32).reshape(-1, size)


def vector_column(vectors: NDArray[np.float32]) -> pa.FixedSizeListArray:
    """Float32 (rows, size) as a column."""
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), pa.float32()), vectors.shape[1])


def one_of(column: str, keys: Sequence[str]) -> str:
    """A filter for rows whose `column` is one of `keys`, which are hex digits and so need no escaping."""
    assert all(key.isalnum() and key.isascii() for key in keys)
    listed = ", ".join(f"'{key}'" for key in keys)
    return f"{column} IN ({listed})"


async def rows(table: AsyncTable, where: str, columns: Sequence[str]) -> list[dict[str, object]]:
    """The `columns` of the rows that `where` lets through."""
    found: list[dict[str, object]] = await table.query().where(where).select(list(columns)).to_list()
    return found


async def known_ids(table: AsyncTable, ids: Sequence[str]) -> set[str]:
    """Those of `ids` whose faces are in a table of faces."""
    return {str(row["id"]) for row in await rows(table, one_of("id", ids), ["id"])} if ids else set()


async def is_repeated(table: AsyncTable, request: tuple[str, str]) -> bool:
    """Whether a table has a face that this request enrolled.

    Args:
        request: idempotency key and digest of the request.

    Raises:
        Refused: ``IDEMPOTENCY_KEY_REUSED``: the key was used with another request.
    """
    key, request_digest = digest(request[0]), request[1]
    found = await rows(table, one_of("request", [key]), ["request_digest"])
    if any(row["request_digest"] != request_digest for row in found):
        raise Refused("IDEMPOTENCY_KEY_REUSED", "This idempotency key was used with another request")
    return bool(found)
