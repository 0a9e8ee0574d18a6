"""The gallery's metrics."""

from collections.abc import Mapping, Sequence

from ray.serve.metrics import Gauge

from gallery.reading.size import Size
from gallery.records import IndexHealth


class GalleryMetrics:
    """Gauges of the gallery's size, set by its writer, and of what each reader found.

    There is no label for collections: there may be any number of them, and their names are private.
    """

    def __init__(self) -> None:
        self._collections = Gauge("facegraph_gallery_collections", "Collections by model.", ("model",))
        self._faces = Gauge("facegraph_gallery_faces", "Enrolled faces by model.", ("model",))
        self._subjects = Gauge("facegraph_gallery_subjects", "Enrolled subjects by model.", ("model",))
        self._unreadable = Gauge("facegraph_gallery_unreadable_collections", "Collections that cannot be read.")
        self._recall = Gauge("facegraph_gallery_index_recall", "Lowest recall of an index by model.", ("model",))

    def set_sizes(self, sizes: Mapping[str, Size]) -> None:
        """Report the sizes by model."""
        for model, size in sizes.items():
            self._collections.set(size.collections, {"model": model})
            self._faces.set(size.faces, {"model": model})
            self._subjects.set(size.subjects, {"model": model})

    def set_unreadable(self, collections: int) -> None:
        """Report the number of collections that cannot be read."""
        self._unreadable.set(collections)

    def set_recall(self, indexes: Sequence[IndexHealth]) -> None:
        """Report the recall of each model's indexes, if it has been measured."""
        for index in indexes:
            if index.recall is not None:
                self._recall.set(index.recall, {"model": index.model})
