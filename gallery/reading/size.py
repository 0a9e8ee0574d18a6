"""The size of a gallery, by model."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from project.request_error import RequestError

if TYPE_CHECKING:
    from gallery.reading.reader import Reader


@dataclass(slots=True)
class Size:
    """The number of collections of one model, and of the faces and subjects in them."""

    collections: int = 0
    faces: int = 0
    subjects: int = 0


class SizeCounter:
    """Measures a gallery repeatedly.

    Args:
        reader: counts the faces and subjects of a collection.
    """

    def __init__(self, reader: "Reader") -> None:
        self._reader = reader
        self._models: set[str] = set()

    async def measure(self) -> dict[str, Size]:
        """Return the size of each model's collections. Unreadable collections are left out.

        Raises:
            Exception: the gallery cannot be opened.
        """
        # Zero for a model whose last collection was deleted.
        sizes = {model: Size() for model in self._models}
        for collection in await self._reader.collections():
            try:
                # The collection may have been replaced by another of its name.
                now, counted = await self._reader.statistics(collection.name)
            except RequestError:
                # Damaged, which `Reader.unreadable` reports, or just dropped.
                continue
            size = sizes.setdefault(now.kind.model, Size())
            size.collections += 1
            size.faces += counted.faces
            size.subjects += counted.subjects
        self._models |= sizes.keys()
        return sizes
