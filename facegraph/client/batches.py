"""Any number of photos as requests within the service's limits."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from facegraph.client.images import File

MOST_PHOTOS = 64
MOST_BYTES = 28_000_000
"""Of a request's body, which a service with the default MAX_IMAGE_SIZE takes."""
_AROUND = 512
"""Bytes around a photo and a subject in a form, at most; names of files and ids come on top."""


@dataclass(frozen=True)
class Entry:
    """A photo to enrol."""

    subject: str
    file: File

    @property
    def size(self) -> int:
        """Bytes that it takes of a form, at most."""
        # Characters that would end a name take three bytes for one.
        return len(self.file.data) + len(self.subject.encode()) + 3 * len(self.file.name.encode()) + _AROUND


def batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """`entries` in order, as many at a time as a request takes; one that is too large by itself is alone."""
    batch, size = list[Entry](), 0
    for entry in entries:
        if batch and (len(batch) == MOST_PHOTOS or size + entry.size > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += entry.size
    if batch:
        yield batch
