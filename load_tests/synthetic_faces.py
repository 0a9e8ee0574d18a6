"""Synthetic embeddings of people with several photos, and probes to search for."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

PROBES = ("noisy copies", "other photos", "unknown people")
"""The kinds of probes, in the order in which they alternate."""
PHOTO_COSINE = 0.6
"""Mean cosine similarity of two photos of a person."""
NOISE = 0.5
"""Length of the noise that is added to an embedding of length 1 to make a noisy copy."""
BLOCK = 10_000
"""Faces processed at a time, in memory and in batches of an import."""


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


def subject_of(row: int, photos: int) -> str:
    """Return the id of the subject with the face in `row`."""
    return f"person-{row // photos}"


def write_arrow(path: Path, faces: Vectors, photos: int) -> None:
    """Write the faces with ids and subjects as an Arrow stream, the body of an import."""
    size = faces.shape[1]
    schema = pa.schema({"id": pa.string(), "subject": pa.string(), "vector": pa.list_(pa.float32(), size)})
    with path.open("wb") as file, pa.ipc.new_stream(file, schema) as stream:
        for first in range(0, len(faces), BLOCK):
            rows = range(first, min(first + BLOCK, len(faces)))
            subjects = [subject_of(row, photos) for row in rows]
            vectors = pa.FixedSizeListArray.from_arrays(pa.array(faces[first : rows.stop].ravel()), size)
            stream.write_batch(pa.record_batch([[f"{row:032x}" for row in rows], subjects, vectors], schema=schema))


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
