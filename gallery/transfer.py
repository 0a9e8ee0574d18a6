"""Export to Parquet files and import from them, in batches: a gallery need not fit into memory."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from lancedb import AsyncConnection, AsyncTable

from gallery.disk import sync
from gallery.location import Location
from gallery.reader import Reader
from gallery.records import Collection, EmbeddingKind, contract_mismatch, normalised, subject_key
from gallery.subject_ids import refuse_blank
from gallery.tables import TIME, vectors_of
from gallery.writer import Writer
from imaging.refused import Refused

BATCH = 4096
"""Faces that are read and written at a time; an import commits as many at once."""
MAX_SIZE = 2**16
"""Numbers of an embedding that are believed."""
ABOUT = b"facegraph.collection"
"""Key of the collection's description in a file's metadata."""
ATTEMPTS = 3
"""How often a table is read from its beginning because a clean-up removed what was being read."""

Report = Callable[[str, int, int | None], None]
"""Called with what is being done, the faces so far, and the faces in all where they are known."""
Result = TypeVar("Result")


class TransferError(Exception):
    """Something that an operator can set right keeps faces from being copied; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class ExportFile:
    """An exported collection.

    Attributes:
        path: of the file.
        name: of the collection.
        kind: of its embeddings.
        threshold: its own, or None.
        faces: how many.
    """

    path: Path
    name: str
    kind: EmbeddingKind
    threshold: float | None
    faces: int


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file: the collection it went to, its faces, and how many of them were not there before."""

    collection: str
    faces: int
    new: int


async def listed(location: Location) -> list[Collection]:
    """The collections of the gallery at `location`, by name.

    Raises:
        TransferError: there is no gallery.
    """
    # LanceDB makes a folder that it is asked to open.
    if location.folder is not None and not location.folder.is_dir():
        raise TransferError(f"there is no gallery at {location.uri}")
    try:
        return await Reader(location, 0).collections()
    except (OSError, RuntimeError, ValueError) as error:
        raise TransferError(f"there is no gallery at {location.uri}: {first_line(error)}") from error


async def export_gallery(location: Location, folder: Path, names: Sequence[str], report: Report) -> list[ExportFile]:
    """Write collections into a folder, one file each. Only reads the gallery, so a service may run on it.

    Args:
        folder: empty, or not there yet. Stays empty if the export fails.
        names: of the collections; none for all.

    Raises:
        TransferError: there is no gallery, or the folder is not empty.
        Refused: ``COLLECTION_NOT_FOUND``.
    """
    await listed(location)
    reader = Reader(location, 0)
    collections = [await reader.collection(name) for name in dict.fromkeys(names)] or await reader.collections()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise TransferError(f"{folder} is not empty")
    connection = await location.connect()
    written: list[Path] = []
    try:
        for number, collection in enumerate(collections, 1):
            path = folder / f"{number:04}-{collection.table.removeprefix('faces-')}.parquet"
            written.append(path)
            await _export(connection, collection, path, report)
    except BaseException:
        # Some of the collections would pass for all of them.
        for path in written:
            path.unlink(missing_ok=True)
        raise
    finally:
        connection.close()
    return [read_export(path) for path in written]


async def _export(connection: AsyncConnection, collection: Collection, path: Path, report: Report) -> None:
    async def write(table: AsyncTable) -> None:
        schema = _export_schema(collection.kind.size)
        described = schema.with_metadata({ABOUT: json.dumps(_description(collection))})
        with (
            _finished(path) as part,
            # No dictionary of an embedding's numbers, which hardly ever occur twice.
            pq.ParquetWriter(
                part, described, compression="zstd", use_dictionary=["subject", "label"], write_page_checksum=True
            ) as file,
        ):
            async for batch in batches(table, schema, f"exporting {collection.name}", report):
                file.write_batch(batch)

    await one_version(connection, collection.table, write)


async def import_files(
    writer: Writer, paths: Sequence[Path], report: Report, into: str | None = None
) -> list[Imported]:
    """Add the faces of exported files, with their ids and times; collections that are not there are made.

    Every file is read to its end before anything is written. What was imported before is left as it is,
    so an import that was cut short is finished by making it again.

    Args:
        paths: files, or folders of them.
        into: name of the collection that gets the faces of the only file, if not its own.

    Raises:
        TransferError: one of them is no export or is damaged, or two do not go together.
        Refused: ``EMBEDDING_CONTRACT_MISMATCH`` or ``COLLECTION_EXISTS``: the gallery has a collection of
            this name and another kind.
    """
    files = [read_export(path) for path in _files(paths)]
    if into is not None and len(files) != 1:
        raise TransferError(f"only one file can be imported into another collection, and there are {len(files)}")
    targets = {file.path: file.name if into is None else into for file in files}
    known = {collection.name: collection for collection in writer.collections}
    kinds: dict[str, EmbeddingKind] = {}
    for file in files:
        name = targets[file.path]
        if kinds.setdefault(name, file.kind) != file.kind:
            raise TransferError(f"{file.path} and another file are both of {name}, with embeddings of two kinds")
        if name in known and known[name].kind.contract != file.kind.contract:
            raise contract_mismatch(known[name])
    for file in files:
        for batch in _read(file, "checking", report):
            _check(file, batch)
    # Those that are there first: a refusal comes before anything is made.
    for file in sorted(files, key=lambda file: targets[file.path] not in known):
        await writer.create(targets[file.path], file.kind, file.threshold, exist_ok=True)
    return [await _import(writer, file, targets[file.path], report) for file in files]


async def _import(writer: Writer, file: ExportFile, name: str, report: Report) -> Imported:
    new = 0
    for batch in _read(file, "importing", report):
        if inserted := await writer.insert(name, file.kind.contract, batch):
            new += inserted
            # Does something after many commits only.
            await writer.optimise()
    return Imported(name, file.faces, new)


def read_export(path: Path) -> ExportFile:
    """What the exported file at `path` says of itself.

    Raises:
        TransferError: it is none.
    """
    if not path.is_file():
        raise TransferError(f"there is no file {path}")
    with _named(path), pq.ParquetFile(path) as file:
        schema, faces = file.schema_arrow, file.metadata.num_rows
        described = (schema.metadata or {}).get(ABOUT)
        if described is None:
            raise ValueError("it is a Parquet file, but no export of a gallery")
        name, kind, threshold = _described(described)
        if not schema.remove_metadata().equals(_export_schema(kind.size)):
            raise ValueError(f"its columns are not those of an export with embeddings of {kind.size} numbers")
    return ExportFile(path, name, kind, threshold, faces)


async def one_version(
    connection: AsyncConnection, name: str, read: Callable[[AsyncTable], Awaitable[Result]]
) -> Result:
    """What `read` makes of a table, all of one version.

    A clean-up by the running service may remove that version meanwhile: then once more, of the newest.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            table = await connection.open_table(name)
        except ValueError as error:
            raise TransferError(f"a collection was deleted before it was copied ({name}): run it again") from error
        version = await table.version()
        try:
            return await read(table)
        except RuntimeError:
            if attempt == ATTEMPTS or await (await connection.open_table(name)).version() == version:
                raise
    raise AssertionError


async def batches(table: AsyncTable, schema: pa.Schema, what: str, report: Report) -> AsyncIterator[pa.RecordBatch]:
    """The columns of `schema` of every row, in the version that `table` was opened at."""
    done, total = 0, await table.count_rows()
    report(what, 0, total)
    async for batch in await table.query().select(schema.names).to_batches(max_batch_length=BATCH):
        yield pa.RecordBatch.from_arrays([batch[name] for name in schema.names], schema=schema)
        done += batch.num_rows
        report(what, done, total)


def first_line(error: Exception) -> str:
    """The message of an error of Lance or Arrow without the places in their sources."""
    text = error.message if isinstance(error, Refused) else str(error)
    return re.split(r",? *(?:location: |/\S*\.cargo/)", (text.splitlines() or [repr(error)])[0])[0]


def _export_schema(size: int) -> pa.Schema:
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("subject", pa.string(), nullable=False),
            pa.field("label", pa.string(), nullable=False),
            pa.field("created", TIME, nullable=False),
            pa.field("vector", pa.list_(pa.float32(), size), nullable=False),
        ]
    )


def _description(collection: Collection) -> dict[str, object]:
    kind = collection.kind
    return {
        "name": collection.name,
        "embedder": kind.embedder,
        "model": kind.model,
        "contract": kind.contract,
        "size": kind.size,
        "threshold": collection.threshold,
        "created": collection.created.isoformat(),
    }


def _described(text: bytes) -> tuple[str, EmbeddingKind, float | None]:
    found: Any = json.loads(text)
    types = {"name": str, "embedder": str, "model": str, "contract": str, "size": int, "created": str}
    if not isinstance(found, dict) or not all(type(found.get(key)) is kind for key, kind in types.items()):
        raise ValueError("what it says of its collection is not complete")
    datetime.fromisoformat(found["created"])
    threshold = found.get("threshold")
    if not (threshold is None or (isinstance(threshold, float) and -1 <= threshold <= 1)):
        raise ValueError("the threshold of its collection is no cosine similarity")
    if not found["name"] or not 1 <= found["size"] <= MAX_SIZE:
        raise ValueError("its collection has no name, or embeddings of no possible size")
    return found["name"], EmbeddingKind(*(found[key] for key in ("embedder", "model", "contract", "size"))), threshold


def _files(paths: Sequence[Path]) -> list[Path]:
    files = []
    for path in paths:
        found = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        if not found:
            raise TransferError(f"there is no exported file in {path}")
        files += found
    return list(dict.fromkeys(files))


def _read(file: ExportFile, what: str, report: Report) -> Iterator[pa.RecordBatch]:
    done = 0
    report(f"{what} {file.name}", done, file.faces)
    with pq.ParquetFile(file.path, page_checksum_verification=True) as opened:
        read = opened.iter_batches(batch_size=BATCH)
        while True:
            with _named(file.path):
                batch = next(read, None)
            if batch is None:
                return
            yield batch
            done += batch.num_rows
            report(f"{what} {file.name}", done, file.faces)


def _check(file: ExportFile, batch: pa.RecordBatch) -> None:
    with _named(file.path):
        batch.validate(full=True)
        if any(column.null_count for column in batch.columns):
            raise ValueError("it has empty cells")
        if not pc.all(pc.match_substring_regex(batch["id"], "^[0-9a-f]{32}$")).as_py():
            raise ValueError("it has faces whose ids are not 32 hex digits")
        for subject in batch["subject"].unique().to_pylist():
            subject_key(subject)
            refuse_blank(subject)
        for vector in vectors_of(batch["vector"], file.kind.size):
            normalised(vector, file.kind.size)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Has errors tell which file they are of."""
    try:
        yield
    except (OSError, ValueError, Refused, pa.ArrowException) as error:
        raise TransferError(f"{path} cannot be imported: {first_line(error)}") from error


@contextmanager
def _finished(path: Path) -> Iterator[Path]:
    """A file to write to, which gets its name `path` when it is whole and on the disk, and vanishes otherwise."""
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        sync(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    sync(path.parent)
