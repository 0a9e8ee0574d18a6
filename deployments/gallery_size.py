"""How large the gallery is, as metrics of its writer."""

from collections import defaultdict
from typing import Protocol

from ray.serve.metrics import Gauge

from gallery.records import Collection, Statistics
from imaging.refused import Refused


class Counted(Protocol):
    """The part of `gallery.reader.Reader` that counts."""

    async def collections(self) -> list[Collection]: ...
    async def count(self, collection: Collection) -> int: ...
    async def statistics(self, collection: Collection) -> Statistics: ...


class GallerySize:
    """Faces, subjects and collections by network.

    Collections are not told apart: there may be any number of them, and their names are their owners'.

    Args:
        reader: counts.
    """

    def __init__(self, reader: Counted) -> None:
        self._reader = reader
        self._known: dict[str, Statistics] = {}
        self._models: set[str] = set()
        self._gauges = (
            Gauge("facegraph_gallery_collections", "Collections of a network.", ("model",)),
            Gauge("facegraph_gallery_faces", "Faces enrolled for a network.", ("model",)),
            Gauge("facegraph_gallery_subjects", "Subjects enrolled for a network.", ("model",)),
        )
        self._unreadable = Gauge("facegraph_gallery_unreadable_collections", "Collections that cannot be read.")

    async def measure(self) -> None:
        """Count, and set the gauges.

        Subjects take a look at every face, so they are counted anew only where the number of faces has changed.

        Raises:
            Exception: whatever keeps the gallery from being opened.
        """
        known, unreadable = dict[str, Statistics](), 0
        sizes: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        for each in await self._reader.collections():
            try:
                counted = self._known.get(each.table)
                if counted is None or counted.faces != await self._reader.count(each):
                    counted = await self._reader.statistics(each)
            except Refused as refused:
                unreadable += refused.code == "COLLECTION_UNREADABLE"
                continue
            known[each.table] = counted
            size = sizes[each.kind.model]
            for place, more in enumerate((1, counted.faces, counted.subjects)):
                size[place] += more
        self._known = known
        self._unreadable.set(unreadable)
        # A network whose last collection went has none, not as many as before.
        self._models |= sizes.keys()
        for model in self._models:
            for gauge, value in zip(self._gauges, sizes[model], strict=True):
                gauge.set(value, {"model": model})
