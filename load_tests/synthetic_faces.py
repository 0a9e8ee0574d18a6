"""Synthetic embeddings of people with several photos, probes to search for, and the exact results."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

PROBES = ("noisy copies", "other photos", "unknown people")
"""The kinds of probes, in the order in which they alternate."""
PHOTO_COSINE = 0.6
"""Mean cosine similarity of two photos of a person."""
NOISE = 0.5
"""Length of the noise that is added to an embedding of length 1 to make a noisy copy."""
BLOCK = 100_000
"""Faces processed at a time."""


def synthetic_faces(people: int, photos: int, size: int, probes: int) -> tuple[Vectors, Vectors]:
    """Return `photos` embeddings of each person, one person after the other, and `probes` of the kinds in `PROBES`."""
    chance = np.random.default_rng(0)
    centres, faces = _directions(chance, people, size), np.empty((people * photos, size), np.float32)
    for first in range(0, len(faces), BLOCK):
        rows = np.arange(first, min(first + BLOCK, len(faces)))
        faces[rows] = _other_photos(chance, centres[rows // photos])
    chosen = chance.integers(people, size=probes)
    copies = _units(faces[chosen * photos] + NOISE * _directions(chance, probes, size))
    kinds = copies, _other_photos(chance, centres[chosen]), _directions(chance, probes, size)
    return faces, np.choose(np.arange(probes)[:, None] % len(kinds), kinds)


def exact_rows(faces: Vectors, probes: Vectors) -> NDArray[np.int64]:
    """Return the row of the most similar face for each probe."""
    tops, cosines = [], []
    for first in range(0, len(faces), BLOCK):
        block = faces[first : first + BLOCK] @ probes.T
        tops.append(first + block.argmax(axis=0))
        cosines.append(block.max(axis=0))
    rows: NDArray[np.int64] = np.asarray(tops)[np.argmax(cosines, axis=0), np.arange(len(probes))]
    return rows


def subject_of(row: int, photos: int) -> str:
    """Return the id of the subject with the face in `row`."""
    return f"person-{row // photos}"


def write_parquet(path: Path, faces: Vectors, photos: int, collection: Mapping[str, Any]) -> None:
    """Write the faces as an exported file, which `facegraph gallery import` reads.

    Args:
        collection: name, embedder, model, contract and size.
    """
    created = datetime.now(UTC)
    described = json.dumps({**collection, "threshold": None, "created": created.isoformat()})
    fields = {"id": pa.string(), "subject": pa.string(), "label": pa.string(), "created": pa.timestamp("us", tz="UTC")}
    size = faces.shape[1]
    columns = [pa.field(name, kind, nullable=False) for name, kind in fields.items()]
    columns.append(pa.field("vector", pa.list_(pa.float32(), size), nullable=False))
    schema = pa.schema(columns, {"facegraph.collection": described})
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=["label", "created"]) as file:
        for first in range(0, len(faces), BLOCK):
            rows = range(first, min(first + BLOCK, len(faces)))
            ids = [hashlib.blake2b(str(row).encode(), digest_size=16).hexdigest() for row in rows]
            subjects = [subject_of(row, photos) for row in rows]
            vectors = pa.FixedSizeListArray.from_arrays(pa.array(faces[first : rows.stop].ravel()), size)
            labels, times = [""] * len(rows), [created] * len(rows)
            file.write_table(pa.table([ids, subjects, labels, times, vectors], schema=schema))


def _units(vectors: NDArray[Any]) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def _directions(chance: np.random.Generator, count: int, size: int) -> Vectors:
    """Return random embeddings of length 1."""
    vectors = chance.standard_normal((count, size), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def _other_photos(chance: np.random.Generator, centres: Vectors) -> Vectors:
    noise = _directions(chance, *centres.shape)
    return _units(PHOTO_COSINE**0.5 * centres + (1 - PHOTO_COSINE) ** 0.5 * noise)
