"""The chunks of a WEBP file (RFC 9649), read before its pixels are decoded."""

MOST_CHUNKS = 256
"""Chunks that are read."""
LEAST_PADDING, PADDING_SHARE = 1024, 10
"""Zeros at the end of a picture's data that show that it was cut and padded: 1,024 bytes, and one part in ten of the
data. A flat picture ends with one part in twenty."""


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
