"""Split a request into calls that fit into messages between replicas."""

from collections.abc import Iterator, Sequence

from imaging.crops import CropSpec

BATCH_BYTES = 24 * 2**20
"""Largest size of the photos in a call to a detector, and of the crops in its answer. gRPC's own limit is 64 MiB.

Two photos of the default maximum size fit into one call.
"""

BATCH_FACES = 64
"""Largest number of faces in one call to a network, whose memory grows with the number."""

LARGEST_PHOTO = 48 * 2**20
"""Largest photo in bytes that a call can carry. A photo above `BATCH_BYTES` is sent in a call of its own."""


def crop_bytes(crops: Sequence[CropSpec]) -> int:
    """Return the size in bytes of one face's crops."""
    return sum(3 * spec.size**2 for spec in crops)


def split_by_size(sizes: Sequence[int], most: int = BATCH_BYTES) -> Iterator[slice]:
    """Split items of these `sizes` into runs of at most `most` in total. A larger item is a run of its own."""
    start = total = 0
    for index, size in enumerate(sizes):
        if index > start and total + size > most:
            yield slice(start, index)
            start, total = index, 0
        total += size
    if start < len(sizes):
        yield slice(start, len(sizes))
