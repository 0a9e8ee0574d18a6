"""Checks the chunks of a PNG file (PNG specification, third edition) before decoding."""

import zlib
from collections.abc import Iterator

from imaging.photo_errors import damaged, too_complex

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_DATA_CHUNKS = 16_384
"""Maximum number of chunks of pixels. Encoders write 8 KiB or more per chunk."""
MAX_OTHER_CHUNKS = 128
"""Maximum number of other chunks. A file with a profile, texts and a palette has about ten."""

_CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_KEPT = (*_CRITICAL, b"tRNS", b"eXIf")
_PIXELS = (b"IDAT", b"fdAT", b"fcTL")
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PIECE = 1 << 20


def essential(data: bytes) -> bytes:
    """Remove all chunks that the first picture does not depend on, so that they can neither break nor slow decoding.

    As in browsers, an ancillary chunk with a wrong checksum is ignored, and a file with an unknown critical chunk
    (such as Apple's ``CgBI``) or with a wrong checksum of a critical chunk is damaged. A last chunk that the end of the
    file cuts off is kept: decompression shows whether pixels are missing.

    Raises:
        RequestError: ``IMAGE_TOO_COMPLEX`` for too many chunks; ``INVALID_IMAGE`` for a damaged file.
    """
    view, kept, pixel_chunks, others = memoryview(data), [memoryview(SIGNATURE)], 0, 0
    for kind, start, stop in _chunks(data):
        if kind in _PIXELS:
            pixel_chunks += 1
        else:
            others += 1
        if pixel_chunks > MAX_DATA_CHUNKS or others > MAX_OTHER_CHUNKS:
            raise too_complex()
        critical = not kind[0] & 0x20
        if critical and kind not in _CRITICAL:
            raise damaged()
        if kind not in _KEPT:
            continue
        sound = stop > len(data) or zlib.crc32(view[start + 4 : stop - 4]) == int.from_bytes(view[stop - 4 : stop])
        if sound:
            kept.append(view[start:stop])
        elif critical:
            raise damaged()
    return b"".join(kept)


def is_short(data: bytes) -> bool:
    """Check whether the compressed pixels of a PNG file that is not interlaced end before the last row.

    If the file ends inside them, they must still end with their own checksum: padding decompresses to arbitrary pixels.
    """
    width, height, depth, colour = *(int.from_bytes(data[place : place + 4]) for place in (16, 20)), data[24], data[25]
    wanted = height * (1 + (width * _CHANNELS[colour] * depth + 7) // 8)
    unpacker = zlib.decompressobj()
    for kind, start, stop in _chunks(data):
        packed = data[start + 8 : stop - 4] if kind == b"IDAT" else b""
        # Some encoders write more data than the rows need.
        while packed and wanted > -_PIECE:
            wanted -= len(unpacker.decompress(packed, _PIECE))
            packed = unpacker.unconsumed_tail
    return wanted > 0 or (is_cut(data) and not unpacker.eof)


def is_cut(data: bytes) -> bool:
    """Check whether the file ends inside a chunk of pixels."""
    *_, (kind, _, stop) = _chunks(data)
    return kind == b"IDAT" and stop > len(data)


def has_sixteen_bit_colours(data: bytes) -> bool:
    """Check whether a PNG file has 16 bits per sample and more than one sample per pixel."""
    return data[24] == 16 and data[25] in (2, 4, 6)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end offset of each chunk up to IEND. The last one may end past the end of the file."""
    place, kind = len(SIGNATURE), b""
    while kind != b"IEND" and place + 8 <= len(data):
        kind, start = data[place + 4 : place + 8], place
        place += 12 + int.from_bytes(data[place : place + 4])
        yield kind, start, place
