"""The segments of a JPEG file (ITU-T T.81, annex B), read before its pixels are decoded."""

import random
import re
from dataclasses import dataclass

from imaging.refused import damaged, too_complex

MOST_SEGMENTS = 1024
"""Segments of a JPEG file, its scans included. Metadata that fills the largest file takes about 160."""
MOST_STRAY = 1024
"""Bytes before a segment of the header that belong to no segment."""

# Not 255 as coded data, which a 0 follows, and no restart marker, which stands between coded data.
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_BARE = (0x01, 0xD8, 0xD9)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BEGINNING, _END, _SCAN = 0xD8, 0xD9, 0xDA
_RESTARTS = range(0xD0, 0xD8)
_ALL = (1 << 64) - 1
# Random, so that it decodes to no flat colour; without 255, with which markers begin.
_CODE = random.Random(0).randbytes(1024).replace(b"\xff", b"")  # noqa: S311  # Not for a secret.


@dataclass(frozen=True, slots=True)
class Scans:
    """The scans of a JPEG file.

    Attributes:
        passes: number of scans, at least 1: a decoder passes over all pixels once per scan.
        end: end of the last scan's data.
        is_ended: whether a marker follows it.
    """

    passes: int
    end: int
    is_ended: bool


def scans(data: bytes) -> Scans:
    """Read the segments of a JPEG file.

    Raises:
        Refused: ``IMAGE_TOO_COMPLEX`` for too many segments; ``INVALID_IMAGE`` for stray bytes in the header, or a
            scan that is missing.
    """
    place, segments, passes = 2, 0, 0
    progressive, components, last = False, 0, False
    finished: dict[int, int] = {}
    while found := _MARKER.search(data, place):
        segments += 1
        if segments > MOST_SEGMENTS:
            raise too_complex()
        if not passes:
            _check_gap(found.start() - place)
        marker, place = found[1][0], found.end()
        if passes and marker == _BEGINNING:
            # Another picture: phones append some to the first.
            return _open_ended(passes, found.start(), components, finished)
        if passes and (last or marker == _END):
            return Scans(passes, found.start(), True)
        if marker in _BARE:
            continue
        body = data[place : place + 16]
        if marker in _FRAMES:
            progressive, components = marker & 3 == 2, int.from_bytes(body[7:8])
        elif marker == _SCAN:
            passes += 1
            _count(body, finished)
            # One scan has all components: decoders read no further.
            last = not progressive and body[2:3] == bytes([components])
        place += max(int.from_bytes(body[:2]), 2)
    if passes:
        return _open_ended(passes, len(data), components, finished)
    _check_gap(len(data) - place)
    return Scans(1, len(data), True)


def _count(header: bytes, finished: dict[int, int]) -> None:
    """Note the coefficients of each component that a scan completes to their last bit: bit n for number n."""
    count = header[2] if len(header) > 2 else 0
    components, numbers = header[3 : 3 + 2 * count : 2], header[3 + 2 * count : 6 + 2 * count]
    if len(numbers) < 3 or numbers[2] & 15:
        return
    for component in components:
        finished[component] = finished.get(component, 0) | (1 << numbers[1] + 1) - (1 << min(numbers[0], numbers[1]))


def _open_ended(passes: int, end: int, components: int, finished: dict[int, int]) -> Scans:
    """The scans of a file without an end marker; damaged if a scan is missing."""
    if sum(mask & _ALL == _ALL for mask in finished.values()) < components:
        raise damaged()
    return Scans(passes, end, False)


def completions(data: bytes, end: int) -> tuple[bytes, bytes]:
    """Complete a file without an end marker, whose last scan ends at `end`: simply, and as `continued` does it.

    Padding is removed first.
    """
    body = data[:end].rstrip(b"\0\xff")
    padding = data[len(body) : end]
    # The last byte of a scan may be 255, which a 0 follows. A 0 is rare: bits that are left over are ones.
    body += b"\xff\0" if padding.startswith(b"\xff\0") else padding if padding == b"\0" else b""
    return body + b"\xff\xd9", continued(body)


def continued(body: bytes) -> bytes:
    """Add random data to a file that is cut at the end of its last scan, and an end marker.

    The pixels stay the same if and only if none is missing: a decoder takes missing pixels from the random data, or
    makes them up if there is none, and skips data that it has no pixels for.
    """
    _, latest = max((body.rfind(bytes([0xFF, marker])), marker) for marker in _RESTARTS)
    # The decoder may be waiting for a restart marker, which must be the next one in turn.
    more = b"".join(_CODE + bytes([0xFF, _RESTARTS[(latest + step) % 8]]) for step in range(1, 9))
    return body + more + b"\xff\xd9"


def _check_gap(stray: int) -> None:
    # Pillow skips them one by one, in Python.
    if stray > MOST_STRAY:
        raise damaged()
