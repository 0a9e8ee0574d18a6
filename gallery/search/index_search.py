"""Searching a large collection with its vector index."""

import numpy as np
import pyarrow as pa
from lancedb import AsyncTable
from numpy.typing import NDArray

from gallery.records import Hit
from gallery.unit_vectors import clipped

NPROBES = 256
"""Number of index partitions searched for each probe."""
CANDIDATES = 200
"""Minimum number of candidates from the index, which are scored again with their full embeddings."""
REFINE = 10
"""Minimum number of candidates for each face that a query returns."""
MAX_EFFORT = 16
"""Maximum of `IndexSearch.effort`."""


class IndexSearch:
    """Searches one table with its vector index.

    Attributes:
        effort: multiplies the numbers of partitions and candidates. Raised if recall is too low.
        loaded: number of faces in the index when it was last loaded into memory; None if it never was.
        recall: share of the nearest faces that searches find, as last measured; None before a measurement.
        measured: time of that measurement, by the monotonic clock; None before a measurement.
    """

    def __init__(self) -> None:
        self.effort = 1
        self.loaded: int | None = None
        self.recall: float | None = None
        self.measured: float | None = None

    async def best(self, table: AsyncTable, probe: NDArray[np.float32], count: int) -> list[Hit]:
        """Return the `count` most similar subjects by their most similar face, best first.

        Compares the probe with every face that is not in the index yet, and with all faces if there is no index.

        Args:
            probe: float32 (size) of length 1.
            count: at least 1.
        """
        faces = 4 * count
        while True:
            # Each query may read a later version, so its hits replace the earlier ones.
            best = dict[str, Hit]()
            query = table.query().nearest_to(probe).distance_type("cosine").nprobes(NPROBES * self.effort)
            query = query.refine_factor(max(REFINE, CANDIDATES // faces) * self.effort)
            found: pa.Table = await query.select(["id", "subject", "_distance"]).limit(faces).to_arrow()
            for row in found.to_pylist():
                best.setdefault(row["subject"], Hit(row["subject"], row["id"], clipped(1 - row["_distance"])))
            if len(best) >= count or found.num_rows < faces:
                return list(best.values())[:count]
            faces *= 4
