"""Reads the segments of a JPEG file (ITU-T T.81, annex B) before decoding, and detects missing pixels."""

import random
import re
from dataclasses import dataclass

from imaging.photo_errors import damaged, too_complex

MAX_SEGMENTS = 1024
"""Maximum number of segments of a JPEG file, including scans. Metadata that fills the largest file takes about 160."""
MAX_STRAY = 1024
"""Maximum number of stray bytes before a segment of the header."""

# Matches neither a 255 in coded data, which is followed by 0, nor a restart marker, which separates coded data.
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_BARE = (0x01, 0xD8, 0xD9)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BEGINNING, _END, _SCAN = 0xD8, 0xD9, 0xDA
_RESTARTS = range(0xD0, 0xD8)
_ALL = (1 << 64) - 1
# Random, so that it does not decode to a single colour; without 255, which begins a marker.
_CODE = random.Random(0).randbytes(1024).replace(b"\xff", b"")  # noqa: S311  # Not for a secret.


@dataclass(frozen=True, slots=True)
class Scans:
    """The scans of a JPEG file.

    Attributes:
        passes: number of scans, at least 1. A decoder passes over all pixels once per scan.
        end: end offset of the last scan's data.
        is_ended: whether a marker follows that data.
    """

    passes: int
    end: int
    is_ended: bool


def read_scans(data: bytes) -> Scans:
    """Read the segments of a JPEG file.

    Raises:
        RequestError: ``IMAGE_TOO_COMPLEX`` for too many segments; ``INVALID_IMAGE`` for too many stray bytes in the
            header or a missing scan.
    """
    place, segments, passes = 2, 0, 0
    progressive, components, last = False, 0, False
    finished: dict[int, int] = {}
    while found := _MARKER.search(data, place):
        segments += 1
        if segments > MAX_SEGMENTS:
            raise too_complex()
        if not passes:
            _check_gap(found.start() - place)
        marker, place = found[1][0], found.end()
        if passes and marker == _BEGINNING:
            # Phones append other pictures to the first.
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
            _record_completed(body, finished)
            # This scan has all components, so decoders stop here.
            last = not progressive and body[2:3] == bytes([components])
        place += max(int.from_bytes(body[:2]), 2)
    if passes:
        return _open_ended(passes, len(data), components, finished)
    _check_gap(len(data) - place)
    return Scans(1, len(data), True)


def _record_completed(header: bytes, finished: dict[int, int]) -> None:
    """Record which coefficients of each component a scan completes to their last bit. Bit n is coefficient n."""
    count = header[2] if len(header) > 2 else 0
    components, numbers = header[3 : 3 + 2 * count : 2], header[3 + 2 * count : 6 + 2 * count]
    if len(numbers) < 3 or numbers[2] & 15:
        return
    for component in components:
        finished[component] = finished.get(component, 0) | (1 << numbers[1] + 1) - (1 << min(numbers[0], numbers[1]))


def _open_ended(passes: int, end: int, components: int, finished: dict[int, int]) -> Scans:
    """Return the scans of a file without an end marker. Reject the file if a scan is missing."""
    if sum(mask & _ALL == _ALL for mask in finished.values()) < components:
        raise damaged()
    return Scans(passes, end, False)


def completions(data: bytes, end: int) -> tuple[bytes, bytes]:
    """Complete a file without an end marker in two ways: with the marker alone, and with `continued`.

    Padding before `end`, the end offset of the last scan, is removed first.
    """
    body = data[:end].rstrip(b"\0\xff")
    padding = data[len(body) : end]
    # A scan may end with 255, which is followed by 0. It rarely ends with 0, because unused bits are ones.
    body += b"\xff\0" if padding.startswith(b"\xff\0") else padding if padding == b"\0" else b""
    return body + b"\xff\xd9", continued(body)


def continued(body: bytes) -> bytes:
    """Append random data and an end marker to a file that ends with its last scan.

    This changes the pixels if and only if some are missing: a decoder takes missing pixels from the random data, but
    skips data after the last pixel. Without such data, it makes up missing pixels.
    """
    _, latest = max((body.rfind(bytes([0xFF, marker])), marker) for marker in _RESTARTS)
    # The decoder may expect a restart marker, which must be the next one in sequence.
    more = b"".join(_CODE + bytes([0xFF, _RESTARTS[(latest + step) % 8]]) for step in range(1, 9))
    return body + more + b"\xff\xd9"


def _check_gap(stray: int) -> None:
    # Pillow skips stray bytes one by one, in Python.
    if stray > MAX_STRAY:
        raise damaged()
