"""Importing exported Parquet files."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from gallery.errors import all_failures, contract_mismatch
from gallery.records import EmbeddingKind
from gallery.storage.tables import UNREADABLE
from gallery.transfer import consistent_reads
from gallery.transfer.consistent_reads import Report, TransferError
from gallery.transfer.face_batches import checked_batch
from gallery.transfer.face_streams import cut, parquet_file
from gallery.transfer.parquet_export import ExportFile, import_errors, read_export
from gallery.writing.writer import Writer
from project.request_error import RequestError

logger = logging.getLogger("ray.serve")


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of importing a file: the target collection, the number of faces, and how many of them are new."""

    collection: str
    faces: int
    new: int


async def import_files(
    writer: Writer, paths: Sequence[Path], report: Report, into: str | None = None
) -> list[Imported]:
    """Add the faces of exported files with their ids and times, and create missing collections.

    Every file is checked completely before anything is written. Faces that are already enrolled are left unchanged,
    so an interrupted import can be completed by repeating it.

    Args:
        paths: files, or folders of files.
        into: name of the target collection, for a single file; None for the exported collection's own name.

    Raises:
        TransferError: a file is damaged or not an export, or two files contradict each other.
        RequestError: ``EMBEDDING_CONTRACT_MISMATCH`` or ``COLLECTION_EXISTS``: the gallery has a collection of this
            name with another kind of embeddings.
    """
    files = exports(paths, into)
    known = {collection.name: collection for collection in writer.collections}
    kinds: dict[str, EmbeddingKind] = {}
    for file in files:
        if kinds.setdefault(file.name, file.kind) != file.kind:
            raise TransferError(f"{file.path} and another file both contain {file.name}, with embeddings of two kinds")
        if file.name in known and known[file.name].kind.contract != file.kind.contract:
            raise contract_mismatch(known[file.name])
    for file in files:
        for _ in _read(file, "checking", report):
            pass
    # Existing collections first, so that an error is raised before any collection is created.
    for file in sorted(files, key=lambda file: file.name not in known):
        await writer.create(file.name, file.kind, file.threshold, exist_ok=True)
    return [await _import(writer, file, report) for file in files]


def exports(paths: Sequence[Path], into: str | None) -> list[ExportFile]:
    """Read the descriptions of exported files; see `import_files`.

    Raises:
        TransferError: a file is damaged or not an export, or there are several to import into one collection.
    """
    files = [read_export(path) for path in _files(paths)]
    if into is None:
        return files
    if len(files) != 1:
        raise TransferError(f"only one file can be imported into another collection, not {len(files)}")
    return [replace(files[0], name=into)]


async def _import(writer: Writer, file: ExportFile, report: Report) -> Imported:
    new, problem = 0, ""
    for batch in _read(file, "importing", report):
        if inserted := await writer.insert(file.name, file.kind.contract, batch):
            new += inserted
            try:
                # Does nothing until there are many commits.
                await writer.optimise()
            except (RequestError, *UNREADABLE) as error:
                # Another collection may be damaged. A problem that lasts is logged once.
                if (failures := all_failures(error)) != problem:
                    logger.warning("gallery: maintenance failed during the import: %s", failures)
                problem = failures
    return Imported(file.name, file.faces, new)


def _files(paths: Sequence[Path]) -> list[Path]:
    files = []
    for path in paths:
        found = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        if not found:
            raise TransferError(f"there is no exported file in {path}")
        files += found
    return list(dict.fromkeys(files))


def _read(file: ExportFile, what: str, report: Report) -> Iterator[pa.RecordBatch]:
    """Yield the faces of a file in checked batches."""
    done = 0
    report(f"{what} {file.name}", done, file.faces)
    with import_errors(file.path), parquet_file(file.path) as (_, batches):
        for batch in cut(batches, consistent_reads.BATCH):
            yield checked_batch(batch, file.kind.size, done)
            done += batch.num_rows
            report(f"{what} {file.name}", done, file.faces)
