"""The segments of a JPEG file (ITU-T T.81, annex B), read before its pixels are decoded."""

import re

from imaging.refused import Refused, damaged

MOST_SEGMENTS = 1024
"""Of a JPEG file, its scans included. Metadata that fills the largest photo takes about 160."""
MOST_STRAY = 1024
"""Bytes before a segment of a JPEG file's header that belong to none."""

# Neither a byte of pixels, which is followed by 0, nor a restart in the midst of them.
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_BARE = (0x01, 0xD8, 0xD9)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_END, _SCAN = 0xD9, 0xDA


def passes(data: bytes) -> int:
    """How often a decoder goes over all the pixels of a JPEG file: the number of its scans, at least 1.

    Raises:
        Refused: ``IMAGE_TOO_COMPLEX``: it is in so many pieces that reading them would take long;
            ``INVALID_IMAGE``: the header has long stretches of nothing.
    """
    place, segments, scans = 2, 0, 0
    progressive, components = False, 0
    while found := _MARKER.search(data, place):
        segments += 1
        if segments > MOST_SEGMENTS:
            raise _too_complex()
        if not scans:
            _check_gap(found.start() - place)
        marker, place = found[1][0], found.end()
        if marker == _END and scans:
            break
        if marker in _BARE:
            continue
        body = data[place : place + 8]
        if marker in _FRAMES:
            progressive, components = marker & 3 == 2, int.from_bytes(body[7:8])
        elif marker == _SCAN:
            scans += 1
            if not progressive and body[2:3] == bytes([components]):
                # Every component in one go: decoders read no further.
                break
        place += max(int.from_bytes(body[:2]), 2)
    if not scans:
        _check_gap(len(data) - place)
    return max(scans, 1)


def _check_gap(stray: int) -> None:
    # Pillow steps over them one by one, in Python.
    if stray > MOST_STRAY:
        raise damaged()


def _too_complex() -> Refused:
    return Refused("IMAGE_TOO_COMPLEX", "The image is in more pieces than any photo")
