"""Split a request into calls that fit into messages between replicas."""

from collections.abc import Iterator, Sequence

from imaging.crops import CropSpec

BATCH_BYTES = 24 * 2**20
"""Maximum size of the photos in a call to a detector, and of the crops in its result. gRPC's limit is 64 MiB.

Two photos of the default maximum size fit into one call.
"""

BATCH_FACES = 64
"""Maximum number of faces in one call to a model. The model's memory use grows with this number."""

LARGEST_PHOTO = 48 * 2**20
"""Maximum size of a photo in a call, in bytes. A photo above `BATCH_BYTES` is sent in a separate call."""


def crop_bytes(crops: Sequence[CropSpec]) -> int:
    """Return the size in bytes of one face's crops."""
    return sum(3 * spec.size**2 for spec in crops)


def split_by_size(sizes: Sequence[int], most: int = BATCH_BYTES) -> Iterator[slice]:
    """Split items with the given sizes into runs of at most `most` in total. A larger item forms its own run."""
    start = total = 0
    for index, size in enumerate(sizes):
        if index > start and total + size > most:
            yield slice(start, index)
            start, total = index, 0
        total += size
    if start < len(sizes):
        yield slice(start, len(sizes))
