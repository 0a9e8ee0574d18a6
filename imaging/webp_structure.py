"""Detects truncated WEBP files (RFC 9649) from their chunks, before decoding."""

MAX_WEBP_CHUNKS = 256
"""Maximum number of chunks that are read."""
MIN_PADDING, PADDING_SHARE = 1024, 10
"""Trailing zeros that identify a truncated and padded picture: at least 1,024 bytes, and a tenth of the data. A picture
of one colour has a twentieth."""


def is_padded(data: bytes) -> bool:
    """Check whether the picture's data was truncated and padded with zeros, which decode to arbitrary pixels."""
    place = 12
    for _ in range(MAX_WEBP_CHUNKS):
        kind, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        if kind in (b"VP8 ", b"VP8L"):
            coded = data[place + 8 : place + 8 + size]
            zeros = len(coded) - len(coded.rstrip(b"\0"))
            return zeros >= max(MIN_PADDING, len(coded) // PADDING_SHARE)
        place += 8 + size + size % 2
    return False
