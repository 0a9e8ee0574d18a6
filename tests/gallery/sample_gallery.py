"""Made-up faces and small galleries."""

from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lancedb import AsyncTable
from numpy.typing import NDArray

from gallery.location import Location
from gallery.reading.reader import Reader
from gallery.records import EmbeddingKind, Hit, NewFace, StoredFace, subject_key
from gallery.search.mirror import Mirror
from gallery.search.mirror_search import best_subjects
from gallery.search.vector_index import IndexRule
from gallery.storage.latest_table import LatestTable
from gallery.unit_vectors import normalised
from gallery.writing.writer import Writer
from project.request_error import RequestError

SIZE = 16
KIND = EmbeddingKind("arcface", "arcface-model", "contract", SIZE)
NAME = "people"

Vector = NDArray[np.float32]

HOSTILE = [
    "'); DROP TABLE x; --",
    'say "x"',
    "back\\slash\\'",
    "a\0b",
    "../../etc/passwd",
    "%_*?",
    "line\nbreak\ttab",
    "  a",
]
HOSTILE += ["NULL", "\u202eright to left", "e\u0301", "\u00e9", "\U0001f600" * 512]
"""Ids that could be mistaken for something else."""


class Storage(Location):
    """The location of a gallery, and what is stored there."""

    @property
    def files(self) -> Path:
        """The folder of the gallery."""
        assert self.folder is not None
        return self.folder

    def table_folder(self, table: str) -> Path:
        return self.files / f"{table}.lance"

    async def table(self, name: str = NAME) -> AsyncTable:
        """Open the table of a collection once more."""
        return await (await self.connect()).open_table((await Reader(self, 0).collection(name)).table)

    async def versions(self) -> int:
        """Number of versions of the collection."""
        return await (await self.table()).version()

    async def unindexed(self, column: str = "vector") -> int:
        """Number of faces of the collection that are not in the index of a column yet."""
        statistics = await (await self.table()).index_stats(f"{column}_idx")
        assert statistics is not None
        return int(statistics.num_unindexed_rows)

    async def mirror(self) -> Mirror:
        """A new mirror of the collection, not yet refreshed."""
        table = (await self.table()).name
        return Mirror(LatestTable(await self.connect(), table), SIZE, self.mirrors / table)

    async def listed(self, name: str = NAME) -> dict[str, list[StoredFace]]:
        """All faces by subject, as a new reader lists them. Checks that the counts agree."""
        reader = Reader(self, 8)
        collection = await reader.collection(name)
        subjects = await reader.subjects(name, "", None)
        every = {subject.id: await reader.faces(collection, subject.id) for subject in subjects}
        assert [subject.faces for subject in subjects] == [len(faces) for faces in every.values()]
        ids = [stored.face_id for faces in every.values() for stored in faces]
        assert len(set(ids)) == len(ids) == await (await self.table(name)).count_rows()
        _, statistics = await reader.statistics(name)
        assert (statistics.faces, statistics.subjects) == (len(ids), len(every))
        return every

    def traces(self, faces: Sequence[NewFace]) -> list[bytes]:
        """What files with the faces contain: their embeddings, here in pieces of 16 bytes, and texts that name them."""
        files = stored_bytes(self.files)
        pieces = [of.subject.encode() for of in faces] + [subject_key(of.subject).encode() for of in faces]
        pieces += [of.id.encode() for of in faces] + [of.label.encode() for of in faces]
        for of in faces:
            embedding = normalised(of.embedding, SIZE).tobytes()
            pieces += [embedding[start : start + 16] for start in range(0, len(embedding), 16)]
        return [piece for piece in pieces if piece in files]


def vectors(count: int, seed: int = 0, size: int = SIZE) -> Vector:
    """Unit vectors in random directions."""
    made = np.random.default_rng(seed).normal(size=(count, size))
    unit: Vector = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
    return unit


def near(vector: Vector, seed: int, noise: float = 0.05) -> Vector:
    """A vector similar to `vector`."""
    return (vector + noise * np.random.default_rng(seed).normal(size=vector.shape)).astype(np.float32)


def face(subject: str, vector: Vector | None = None, source: str = "photo") -> NewFace:
    return NewFace(subject, source, f"{source}.jpg", vectors(1)[0] if vector is None else vector)


def people(count: int, seed: int = 0) -> list[NewFace]:
    """One face each of `count` dissimilar subjects."""
    return [face(f"subject-{number}", vector) for number, vector in enumerate(vectors(count, seed))]


@asynccontextmanager
async def writing(
    location: Location, index_rows: int = 120_000, collection: str | None = NAME, exact_mb: int = 0
) -> AsyncIterator[Writer]:
    """Open the writer, and create a collection unless it exists."""
    writer = await Writer.open(location, IndexRule(index_rows, exact_mb))
    try:
        if collection is not None:
            await writer.create(collection, KIND, None, exist_ok=True)
        yield writer
    finally:
        await writer.close()


async def enrol(
    writer: Writer,
    *faces: NewFace,
    name: str = NAME,
    contract: str = KIND.contract,
    replace: bool = False,
    request: Any = None,
) -> list[str]:
    """Enrol faces, and return their statuses."""
    results = await writer.enrol(name, contract, faces, replace=replace, request=request)
    assert [each.subject for each in results] == [each.subject for each in faces]
    return [each.status for each in results]


async def search(reader: Reader, probes: Sequence[Vector], count: int = 5, name: str = NAME) -> list[list[Hit]]:
    collection = await reader.collection(name)
    _, hits = await reader.find(name, collection.kind.contract, probes, count)
    return hits


async def found(reader: Reader, probe: Vector, count: int = 5, name: str = NAME) -> list[str]:
    """Ids of the subjects found, best first."""
    [hits] = await search(reader, [probe], count, name)
    return [hit.subject for hit in hits]


async def refusal(asked: Coroutine[Any, Any, Any]) -> str:
    """The code of the refusal of `asked`."""
    with pytest.raises(RequestError) as caught:
        await asked
    return caught.value.code


def brute_force(faces: Iterable[NewFace], probe: Vector, count: int) -> list[tuple[str, float]]:
    """The `count` most similar subjects with the cosine similarities of their most similar faces, best first."""
    best: dict[str, float] = {}
    unit = probe.astype(np.float64) / np.linalg.norm(probe.astype(np.float64))
    for each in faces:
        wide = each.embedding.astype(np.float64)
        cosine = float(wide @ unit / np.linalg.norm(wide))
        best[each.subject] = max(cosine, best.get(each.subject, -2))
    return sorted(best.items(), key=lambda item: -item[1])[:count]


def stored_bytes(folder: Path) -> bytes:
    """Everything in the files below a folder."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def traceable_faces(count: int) -> list[NewFace]:
    """Faces whose texts occur in no other face."""
    return [face(f"Stranger No. {n:03}!", vector, f"secret-{n:03}") for n, vector in enumerate(vectors(count, 99))]


async def fragments(table: AsyncTable) -> int:
    """Number of files of the open version of a table."""
    statistics: Any = await table.stats()
    return int(statistics["fragment_stats"]["num_fragments"])


def best(mirror: Mirror, probes: Sequence[Vector], count: int) -> list[list[Hit]]:
    assert mirror.files is not None
    hits = best_subjects(mirror.files, np.array(probes), count)
    assert hits is not None
    return hits
