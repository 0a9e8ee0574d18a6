"""Measuring the recall of index searches on a sample of the enrolled faces."""

import asyncio

import numpy as np
from lancedb import AsyncTable
from numpy.typing import NDArray

from gallery.search.index_search import MAX_EFFORT, IndexSearch
from gallery.storage.tables import vectors_of

RECALL = 0.98
"""Minimum recall. If a measurement is lower, the effort of searches is doubled and recall is measured again."""
PROBES = 200
"""Number of probes in a measurement."""
PROBE_COSINE = 0.6
"""Cosine similarity of a probe to the face it stands for, typical of another photo of the same person."""
PAUSE_S = 0.05
"""Time between two probes in seconds, which leaves the processor to the searches of clients."""
ROUNDING = 1e-4
"""Tolerance for the cosine similarities."""


async def measure_recall(search: IndexSearch, table: AsyncTable, size: int, chance: np.random.Generator) -> float:
    """Return the share of probes for which `search` finds the nearest face, and raise its effort if that is too low.

    A probe is a random face with noise, so the face to find is known without comparing the probe with all faces. A
    face that is even nearer also counts.

    Args:
        size: length of an embedding.
        chance: selects the faces and makes the noise.
    """
    faces = await table.count_rows()
    rows = chance.choice(faces, min(PROBES, faces), replace=False)
    sample = await table.take_offsets(sorted(rows.tolist())).select(["vector"]).to_arrow()
    probes = with_noise(vectors_of(sample["vector"], size), PROBE_COSINE, chance)
    while True:
        recall = await _share_found(search, table, probes)
        if recall >= RECALL or search.effort >= MAX_EFFORT:
            return recall
        search.effort *= 2


def with_noise(vectors: NDArray[np.float32], cosine: float, chance: np.random.Generator) -> NDArray[np.float32]:
    """Return, for each of `vectors`, a random vector of length 1 whose cosine similarity to it is `cosine`.

    Args:
        vectors: float32 (rows, size) of length 1.
    """
    noise = chance.standard_normal(vectors.shape, dtype=np.float32)
    noise -= (noise * vectors).sum(axis=1, keepdims=True) * vectors
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    return np.asarray(cosine * vectors + np.sqrt(1 - cosine**2) * noise, np.float32)


async def _share_found(search: IndexSearch, table: AsyncTable, probes: NDArray[np.float32]) -> float:
    found = 0
    for probe in probes:
        hits = await search.best(table, probe, 1)
        found += bool(hits) and hits[0].cosine > PROBE_COSINE - ROUNDING
        await asyncio.sleep(PAUSE_S)
    return found / max(len(probes), 1)
