"""Exporting collections to Parquet files, and the description that each file contains.

Faces are read and written in batches, so a gallery may be larger than memory.
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from lancedb import AsyncConnection, AsyncTable

from gallery.location import Location
from gallery.reading.reader import Reader
from gallery.records import Collection, EmbeddingKind
from gallery.storage.metadata import COLUMN as METADATA
from gallery.storage.tables import description, faces_schema
from gallery.transfer.consistent_reads import (
    Report,
    TransferError,
    batches,
    collections_at,
    first_line,
    read_one_version,
)
from gallery.transfer.face_streams import COLLECTION_KEY, parquet_file
from gallery.transfer.parquet_process import ROWS_KEY
from project.files import atomic
from project.request_error import RequestError

MAX_SIZE = 2**16
"""Maximum length of an embedding in a file."""
_UNSAFE = re.compile("[^A-Za-z0-9._-]")
"""Characters replaced in file names. Names created through `/v1` contain none."""
REQUIRED = ("id", "subject", "label", "created", "vector")
"""Columns of every file. Files of earlier versions have no others."""


@dataclass(frozen=True, slots=True)
class ExportFile:
    """An exported collection: its file, its name, kind and threshold, and the number of its faces."""

    path: Path
    name: str
    kind: EmbeddingKind
    threshold: float | None
    faces: int


async def export_gallery(location: Location, folder: Path, names: Sequence[str], report: Report) -> list[ExportFile]:
    """Write each collection to a file in a folder. Only reads the gallery, so a service may be using it.

    Args:
        folder: an empty folder, or one that does not exist yet. If the export fails, it is left empty.
        names: names of the collections; empty for all.

    Raises:
        TransferError: there is no gallery, or the folder is not empty.
        RequestError: ``COLLECTION_NOT_FOUND``.
    """
    await collections_at(location)
    reader = Reader(location, 0)
    collections = [await reader.collection(name) for name in dict.fromkeys(names)] or await reader.collections()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise TransferError(f"{folder} is not empty")
    connection = await location.connect()
    written, files = list[Path](), list[ExportFile]()
    try:
        for number, collection in enumerate(collections, 1):
            # The number keeps names apart that a file system does not distinguish, such as Staff and staff.
            path = folder / f"{number:04}-{_UNSAFE.sub('_', collection.name)[:64]}.parquet"
            written.append(path)
            files.append(await _export(connection, collection, path, report))
    except BaseException:
        # An incomplete export could be mistaken for a complete one.
        for path in written:
            path.unlink(missing_ok=True)
        raise
    finally:
        connection.close()
    return files


async def _export(connection: AsyncConnection, collection: Collection, path: Path, report: Report) -> ExportFile:
    described = description(collection) | {"created": collection.created.isoformat()}

    async def write(table: AsyncTable) -> None:
        names = (await table.schema()).names
        schema = pa.schema([field for field in _export_schema(collection.kind.size) if field.name in names])
        with (
            atomic(path) as part,
            pq.ParquetWriter(
                part,
                schema.with_metadata({COLLECTION_KEY: json.dumps(described)}),
                compression="zstd",
                # A dictionary of an embedding's numbers would not help: they hardly ever repeat.
                use_dictionary=["subject", "label"],
                write_page_checksum=True,
            ) as file,
        ):
            async for batch in batches(table, schema, f"exporting {collection.name}", report):
                file.write_batch(batch)

    await read_one_version(connection, collection.table, write)
    faces = pq.read_metadata(path).num_rows
    return ExportFile(path, collection.name, collection.kind, collection.threshold, faces)


def read_export(path: Path) -> ExportFile:
    """Read the description in the exported file at `path`.

    Raises:
        TransferError: it is not an export.
    """
    if not path.is_file():
        raise TransferError(f"there is no file {path}")
    with import_errors(path), parquet_file(path) as (schema, _):
        if (described := schema.metadata.get(COLLECTION_KEY)) is None:
            raise ValueError("it is a Parquet file, but not an export of a gallery")
        name, kind, threshold = _checked(described)
        expected = [each for each in _export_schema(kind.size) if each.name in {*schema.names, *REQUIRED}]
        if not schema.remove_metadata().equals(pa.schema(expected)):
            raise ValueError(f"its columns do not match an export with embeddings of {kind.size} numbers")
    return ExportFile(path, name, kind, threshold, int(schema.metadata[ROWS_KEY]))


@contextmanager
def import_errors(path: Path) -> Iterator[None]:
    """Raise a `TransferError` that names the file for any error in the block."""
    try:
        yield
    except (OSError, ValueError, RequestError, pa.ArrowException) as error:
        raise TransferError(f"{path} cannot be imported: {first_line(error)}") from error


def _export_schema(size: int) -> pa.Schema:
    fields = faces_schema(size)
    return pa.schema([*(fields.field(name).remove_metadata() for name in (*REQUIRED, "source", "place")), METADATA])


def _checked(text: bytes) -> tuple[str, EmbeddingKind, float | None]:
    """Return the name, kind and threshold from a file's description."""
    found: Any = json.loads(text)
    types = {"name": str, "embedder": str, "model": str, "contract": str, "size": int, "created": str}
    if not isinstance(found, dict) or not all(type(found.get(key)) is kind for key, kind in types.items()):
        raise ValueError("the description of its collection is incomplete")
    datetime.fromisoformat(found["created"])
    threshold = found.get("threshold")
    if not (threshold is None or (isinstance(threshold, float) and -1 <= threshold <= 1)):
        raise ValueError("the threshold of its collection is not a cosine similarity")
    if not found["name"] or not 1 <= found["size"] <= MAX_SIZE:
        raise ValueError("its collection has no name, or embeddings of an impossible size")
    return found["name"], EmbeddingKind(*(found[key] for key in ("embedder", "model", "contract", "size"))), threshold
