"""Splitting a request into calls whose messages fit between replicas."""

from collections.abc import Iterator, Sequence

from imaging.crops import CropSpec

BATCH_BYTES = 24 * 2**20
"""Bytes of photos that one call sends to a detector, and of crops that it answers; gRPC refuses a message of 64 MiB.

Two photos of the default limit fit into one call.
"""

BATCH_FACES = 64
"""Faces in one call of an embedder or a liveness network, whose memory grows with them."""

LARGEST_PHOTO = 48 * 2**20
"""Bytes of a photo that a call can carry; a photo above `BATCH_BYTES` is a call of its own."""


def crop_bytes(crops: Sequence[CropSpec]) -> int:
    """Bytes of one face's crops."""
    return sum(3 * spec.size**2 for spec in crops)


def batches(sizes: Sequence[int], most: int = BATCH_BYTES) -> Iterator[slice]:
    """Split items of these `sizes` into runs of at most `most` together; an item above it is a run of its own."""
    start = total = 0
    for index, size in enumerate(sizes):
        if index > start and total + size > most:
            yield slice(start, index)
            start, total = index, 0
        total += size
    if start < len(sizes):
        yield slice(start, len(sizes))
