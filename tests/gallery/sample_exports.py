"""Galleries to export and import, for the tests of transfers."""

from pathlib import Path
from typing import Any

import numpy as np

from gallery import transfer
from gallery.location import Location
from gallery.parquet_export import export_gallery
from gallery.parquet_import import Imported, import_files
from gallery.reader import Reader
from gallery.records import EmbeddingKind, NewFace
from tests.gallery.sample_gallery import HOSTILE, KIND, NAME, enrol, vectors, writing

COLUMNS = ["id", "subject", "label", "created", "vector"]
OTHER = EmbeddingKind("facenet", "facenet-model", "other contract", 8)


def silent(what: str, done: int, total: int | None) -> None:
    """A report to nobody."""


def odd() -> list[NewFace]:
    """Faces whose subjects and labels are odd texts, two of each subject."""
    made = vectors(2 * len(HOSTILE), seed=5) * np.float32(3.7)
    return [
        NewFace(subject, str(number % 2), label, made[number])
        for number, (subject, label) in enumerate(zip(HOSTILE * 2, [*reversed(HOSTILE), *HOSTILE], strict=True))
    ]


async def filled(location: Location) -> None:
    """A gallery of three collections, one of them empty."""
    async with writing(location) as writer:
        for start in (0, 10, 30):
            await enrol(writer, *odd()[start : start + 20])
        await writer.create("Ünïcode 'name'/..", OTHER, 0.25)
        others = [NewFace(str(i), "s", "", vector) for i, vector in enumerate(vectors(20, 6, 8))]
        await writer.enrol("Ünïcode 'name'/..", OTHER.contract, others)
        await writer.create("empty", KIND, None)


async def content(location: Location, name: str = NAME) -> list[dict[str, Any]]:
    """Every row of a collection, vectors as their bytes."""
    collection = await Reader(location, 0).collection(name)
    table = await (await location.connect()).open_table(collection.table)
    rows = await table.query().select(COLUMNS).to_list()
    for row in rows:
        row["vector"] = np.asarray(row["vector"], np.float32).tobytes()
    return sorted(rows, key=lambda row: str(row["id"]))


async def imported(
    location: Location, *paths: Path, report: transfer.Report = silent, into: str | None = None
) -> list[Imported]:
    async with writing(location, collection=None) as writer:
        return await import_files(writer, paths, report, into)


async def exported(location: Location, folder: Path, *names: str) -> list[Path]:
    return [file.path for file in await export_gallery(location, folder, names, silent)]
