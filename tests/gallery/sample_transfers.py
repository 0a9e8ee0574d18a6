"""Galleries to copy, their whole content, and copies that are interrupted."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gallery.location import Location
from gallery.reading.reader import Reader
from gallery.records import EmbeddingKind, FacePlace, NewFace
from gallery.transfer.consistent_reads import Report
from gallery.transfer.parquet_export import export_gallery
from gallery.transfer.parquet_import import Imported, import_files
from tests.gallery.sample_gallery import HOSTILE, KIND, NAME, enrol, face, people, vectors, writing

COLUMNS = ["id", "subject", "label", "created", "vector", "source", "place"]
FACES = 2 * len(HOSTILE) + 20
"""Number of faces in the collection `NAME`."""
ODD_NAME = "Ünïcode 'name'/.."
OTHER = EmbeddingKind("facenet", "facenet-model", "other contract", 8)


class StopError(Exception):
    """Interrupts a copy."""


def silent(what: str, done: int, total: int | None) -> None:
    """Report nothing."""


def stop_at(what: str) -> Report:
    """Interrupt the copy after two batches of a step that begins with `what`."""

    def report(step: str, done: int, total: int | None) -> None:
        if step.startswith(what) and done >= 14:
            raise StopError

    return report


def odd_faces() -> list[NewFace]:
    """Faces with odd subjects and labels, two of each subject, one of them with a place, and long embeddings."""
    places = [None, FacePlace("0" * 32, (-0.01, 0.25, 0.5, 1e-6), 0.987654)]
    embeddings = vectors(2 * len(HOSTILE), seed=5) * np.float32(3.7)
    pairs = zip(HOSTILE * 2, [*reversed(HOSTILE), *HOSTILE], embeddings, strict=True)
    return [
        NewFace(subject, str(n % 2), label, vector, places[n % 2]) for n, (subject, label, vector) in enumerate(pairs)
    ]


async def filled(location: Location) -> None:
    """Create a gallery of three collections, one of them empty. A face and a collection were deleted.

    The subject "without faces" has no faces.
    """
    async with writing(location) as writer:
        await enrol(writer, *odd_faces(), request=("key", "digest"))
        await enrol(writer, *people(20))
        await enrol(writer, face("somebody deleted", vectors(1, 9)[0]))
        await writer.delete_subjects(NAME, ["somebody deleted"])
        await writer.create_subject(NAME, "without faces", "request")
        await writer.create("empty", KIND, None)
        await writer.create("dropped", KIND, None)
        await writer.drop("dropped")
        await writer.create(ODD_NAME, OTHER, 0.25)
        others = [NewFace(str(n), "s", "", vector) for n, vector in enumerate(vectors(20, 6, 8))]
        await writer.enrol(ODD_NAME, OTHER.contract, others)


async def content(location: Location, columns: Sequence[str] | None = None) -> dict[str, Any]:
    """Every collection by name, with the `columns` of its rows, or all of them."""
    connection, found = await location.connect(), {}
    for each in await Reader(location, 0).collections():
        table = (await (await connection.open_table(each.table)).query().to_arrow()).sort_by("id")
        found[each.name] = [each.kind, each.threshold, (table.select(columns) if columns else table).to_pylist()]
    return found


async def exported_content(location: Location) -> dict[str, Any]:
    """Every collection by name, with the columns that an export contains."""
    return await content(location, COLUMNS)


async def imported(
    location: Location, *paths: Path, report: Report = silent, into: str | None = None
) -> list[Imported]:
    async with writing(location, collection=None) as writer:
        return await import_files(writer, paths, report, into)


async def exported(location: Location, folder: Path, *names: str) -> list[Path]:
    return [file.path for file in await export_gallery(location, folder, names, silent)]


def arrow(of: pa.Table, rows: int = 3, **options: Any) -> bytes:
    """An Arrow stream with `rows` per batch."""
    file = io.BytesIO()
    with pa.ipc.new_stream(file, of.schema, options=pa.ipc.IpcWriteOptions(**options)) as stream:
        stream.write_table(of, max_chunksize=rows)
    return file.getvalue()


def parquet(of: pa.Table) -> bytes:
    pq.write_table(of, file := io.BytesIO())
    return file.getvalue()
