"""The segments of a JPEG file (ITU-T T.81, annex B), read before its pixels are decoded."""

import random
import re
from dataclasses import dataclass

from imaging.refused import damaged, too_complex

MOST_SEGMENTS = 1024
"""Of a JPEG file, its scans included. Metadata that fills the largest photo takes about 160."""
MOST_STRAY = 1024
"""Bytes before a segment of a JPEG file's header that belong to none."""

# Neither a byte of pixels, which is followed by 0, nor a restart in the midst of them.
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_BARE = (0x01, 0xD8, 0xD9)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BEGINNING, _END, _SCAN = 0xD8, 0xD9, 0xDA
_RESTARTS = range(0xD0, 0xD8)
_ALL = (1 << 64) - 1
# Decodes to no flat colour; without the first byte of a marker.
_CODE = random.Random(0).randbytes(1024).replace(b"\xff", b"")  # noqa: S311  # Not for a secret.


@dataclass(frozen=True, slots=True)
class Scans:
    """What the segments say of the pixels.

    Attributes:
        passes: how often a decoder goes over all the pixels: the number of scans, at least 1.
        end: where the last scan ends if no end marker follows it; None if one does.
    """

    passes: int
    end: int | None


def scans(data: bytes) -> Scans:
    """Read the segments of a JPEG file.

    Raises:
        Refused: ``IMAGE_TOO_COMPLEX``: it is in so many pieces that reading them would take long;
            ``INVALID_IMAGE``: the header has long stretches of nothing.
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
            # Another picture, as phones put behind the first.
            return _open_ended(passes, found.start(), components, finished)
        if passes and (last or marker == _END):
            return Scans(passes, None)
        if marker in _BARE:
            continue
        body = data[place : place + 16]
        if marker in _FRAMES:
            progressive, components = marker & 3 == 2, int.from_bytes(body[7:8])
        elif marker == _SCAN:
            passes += 1
            _count(body, finished)
            # Every component in one go: decoders read no further.
            last = not progressive and body[2:3] == bytes([components])
        place += max(int.from_bytes(body[:2]), 2)
    if passes:
        return _open_ended(passes, len(data), components, finished)
    _check_gap(len(data) - place)
    return Scans(1, None)


def _count(header: bytes, finished: dict[int, int]) -> None:
    """Note in `finished` which coefficients of each component a scan gives to their last bit; bit n for number n."""
    count = header[2] if len(header) > 2 else 0
    components, numbers = header[3 : 3 + 2 * count : 2], header[3 + 2 * count : 6 + 2 * count]
    if len(numbers) < 3 or numbers[2] & 15:
        return
    for component in components:
        finished[component] = finished.get(component, 0) | (1 << numbers[1] + 1) - (1 << min(numbers[0], numbers[1]))


def _open_ended(passes: int, end: int, components: int, finished: dict[int, int]) -> Scans:
    """Scans without an end marker, if all of them are there."""
    if sum(mask & _ALL == _ALL for mask in finished.values()) < components:
        raise damaged()
    return Scans(passes, end)


def completions(data: bytes, end: int) -> tuple[bytes, bytes]:
    """Two files whose last scan ends at `end`: one has an end marker there, the other more coded data before it.

    They decode to the same pixels exactly if no pixel is missing: a decoder reads what is missing from the data, or
    makes it up where there is none, and skips data that it has no pixels for. Padding is left out first.
    """
    body = data[:end].rstrip(b"\0\xff")
    padding = data[len(body) : end]
    # The last byte of a scan may be 255, which a 0 follows. A 0 is rare: bits that are left over are ones.
    body += b"\xff\0" if padding.startswith(b"\xff\0") else padding if padding == b"\0" else b""
    _, latest = max((body.rfind(bytes([0xFF, marker])), marker) for marker in _RESTARTS)
    # The decoder may wait for a restart, which must be the next one.
    more = b"".join(_CODE + bytes([0xFF, _RESTARTS[(latest + step) % 8]]) for step in range(1, 9))
    return body + b"\xff\xd9", body + more + b"\xff\xd9"


def _check_gap(stray: int) -> None:
    # Pillow steps over them one by one, in Python.
    if stray > MOST_STRAY:
        raise damaged()
