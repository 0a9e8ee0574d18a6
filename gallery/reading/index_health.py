"""Keeping the indexes of large collections warm, and measuring them."""

import logging
import time

import numpy as np

from gallery.reading.exact_search import ExactSearch
from gallery.reading.face_table import FaceTable
from gallery.reading.snapshot import Snapshot
from gallery.records import Collection, IndexHealth
from gallery.search.index_recall import RECALL, measure_recall
from gallery.storage.object_store import store_errors
from gallery.storage.tables import UNREADABLE
from project.request_error import RequestError

logger = logging.getLogger("ray.serve")

INDEX = "vector_idx"
"""LanceDB's name of the vector index."""
MEASURED_S = 3600
"""Time between measurements of an index, in seconds."""


async def tend_indexes(snapshot: Snapshot, exact: ExactSearch) -> list[IndexHealth]:
    """Load the indexes of collections that are too large for exact search, and measure those that are due.

    Returns:
        The state of the indexes by model. Unreadable collections are left out.
    """
    found = dict[str, IndexHealth]()
    for collection in snapshot.collections.values():
        try:
            with store_errors():
                health = await _tend(collection, snapshot.faces[collection.table], exact)
        except (RequestError, *UNREADABLE) as error:
            # Maintenance may have removed a file in the meantime; the next call starts again.
            logger.warning("gallery: the index of the collection %s was not checked: %r", collection.name, error)
            continue
        if health is not None:
            model = collection.kind.model
            found[model] = found[model] + health if model in found else health
    return list(found.values())


async def _tend(collection: Collection, faces: FaceTable, exact: ExactSearch) -> IndexHealth | None:
    """Return the state of a collection's index, or None if it has none, needs none or is damaged."""
    if faces.damaged or await exact.covers(faces):
        return None
    table, search, size = await faces.latest(), faces.index, collection.kind.size
    statistics = await table.index_stats(INDEX)
    if statistics is None:
        return None
    if search.loaded != statistics.num_indexed_rows:
        # Only after a change, because each call reads everything that does not fit in the memory for indexes.
        await table.prewarm_index(INDEX)
        search.loaded = statistics.num_indexed_rows
    if search.measured is None or time.monotonic() - search.measured > MEASURED_S:
        search.recall = await measure_recall(search, table, size, np.random.default_rng())
        search.measured = time.monotonic()
        if search.recall < RECALL:
            logger.warning("gallery: recall of the collection %s is %.3f", collection.name, search.recall)
    unindexed = statistics.num_unindexed_rows
    return IndexHealth(collection.kind.model, 1, statistics.num_indexed_rows + unindexed, unindexed, search.recall)
