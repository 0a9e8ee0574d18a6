"""The chunks of a WEBP file (RFC 9649), read before its pixels are decoded."""

MOST_CHUNKS = 256
"""Chunks that are looked at."""
LEAST_PADDING, PADDING_SHARE = 1024, 10
"""A picture whose data ends with so many zeros, and a tenth of it, was cut and padded. The data of a flat picture ends
with a twentieth."""


def is_padded(data: bytes) -> bool:
    """Check whether the picture's data was cut and padded with zeros, which decode to pixels of some kind."""
    place = 12
    for _ in range(MOST_CHUNKS):
        kind, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        if kind in (b"VP8 ", b"VP8L"):
            coded = data[place + 8 : place + 8 + size]
            zeros = len(coded) - len(coded.rstrip(b"\0"))
            return zeros >= max(LEAST_PADDING, len(coded) // PADDING_SHARE)
        place += 8 + size + size % 2
    return False
