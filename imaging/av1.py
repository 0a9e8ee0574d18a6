"""Estimates the work of decoding an AV1 picture from its headers.

Section numbers refer to the AV1 Bitstream & Decoding Process Specification, version 1.0.0 with errata 1.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from imaging.bit_reader import BitReader
from imaging.photo_errors import damaged, too_complex

MAX_BITSTREAM_UNITS = 1024
"""Maximum number of OBUs (open bitstream units) per picture."""

_SEQUENCE, _FRAME_HEADER, _FRAME = 1, 3, 6
_KEY, _SWITCH = 0, 3
_CHOSEN_PER_FRAME = 2


@dataclass(frozen=True, slots=True)
class _Sequence:
    """The fields of a sequence header that frame headers depend on."""

    pixels: int
    reduced: bool
    time_bits: int
    id_bits: int
    screen_content: int
    integer_motion: int


def av1_work(coded: bytes) -> tuple[int, int]:
    """Return the number of pixels of the largest frame, and the number of frames.

    Raises:
        RequestError: ``IMAGE_TOO_COMPLEX`` for too many units, or a frame with a different size than its sequence, as
            in spatial layers; ``INVALID_IMAGE`` for damaged headers.
    """
    sequence, pixels, frames = None, 0, 0
    for number, (kind, bits) in enumerate(_units(coded)):
        if number > MAX_BITSTREAM_UNITS:
            raise too_complex()
        if kind == _SEQUENCE:
            sequence = _sequence(bits)
            pixels = max(pixels, sequence.pixels)
        elif kind in (_FRAME_HEADER, _FRAME):
            if sequence is None:
                raise damaged()
            if _overrides_size(bits, sequence):
                raise too_complex()
            frames += 1
    return pixels, frames


def _units(coded: bytes) -> Iterator[tuple[int, BitReader]]:
    """Type of each unit, and a reader of its body (5.3)."""
    place = 0
    while place < len(coded):
        header = coded[place]
        place += 2 if header & 4 else 1
        length = len(coded) - place
        if header & 2:
            length, place = _length(coded, place)
        if length < 0 or place + length > len(coded):
            raise damaged()
        yield header >> 3 & 15, BitReader(coded, place, place + length)
        place += length


def _length(coded: bytes, place: int) -> tuple[int, int]:
    """Read a number that is stored in seven bits per byte (4.10.5), and return it with the offset after it."""
    value = 0
    for number, byte in enumerate(coded[place : place + 8]):
        value |= (byte & 0x7F) << 7 * number
        if byte < 0x80:
            return value, place + number + 1
    raise damaged()


def _sequence(bits: BitReader) -> _Sequence:
    """Read a sequence header (5.5) up to the last field that frame headers depend on."""
    bits.read(4)
    reduced, time_bits = bits.flag(), 0
    if reduced:
        bits.read(5)
    else:
        time_bits = _skip_timing(bits)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    pixels = (bits.read(width_bits) + 1) * (bits.read(height_bits) + 1)
    if reduced:
        bits.read(3)
        return _Sequence(pixels, reduced, 0, 0, _CHOSEN_PER_FRAME, _CHOSEN_PER_FRAME)
    id_bits = 0
    if bits.flag():
        id_bits = bits.read(4) + 2
        id_bits += bits.read(3) + 1
    bits.read(3 + 4)
    if bits.flag():
        bits.read(2)
    screen_content = _CHOSEN_PER_FRAME if bits.flag() else bits.read(1)
    integer_motion = _CHOSEN_PER_FRAME
    if screen_content and not bits.flag():
        integer_motion = bits.read(1)
    return _Sequence(pixels, reduced, time_bits, id_bits, screen_content, integer_motion)


def _skip_timing(bits: BitReader) -> int:
    """Skip timing and operating points. Returns the number of bits of a frame's presentation time, 0 for none."""
    delay_bits = time_bits = 0
    equal = model = False
    if bits.flag():
        bits.read(64)
        equal = bits.flag()
        if equal:
            bits.exp_golomb()
        model = bits.flag()
        if model:
            delay_bits = bits.read(5) + 1
            bits.read(32 + 5)
            time_bits = bits.read(5) + 1
    initial_delay = bits.flag()
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.read(1)
        if model and bits.flag():
            bits.read(2 * delay_bits + 1)
        if initial_delay and bits.flag():
            bits.read(4)
    return 0 if equal else time_bits


def _overrides_size(bits: BitReader, sequence: _Sequence) -> bool:
    """Check in a frame header (5.9.2) whether the frame overrides the size of its sequence."""
    if sequence.reduced or bits.flag():
        return False
    kind, shown = bits.read(2), bits.flag()
    if shown:
        bits.read(sequence.time_bits)
    else:
        bits.read(1)
    if kind != _SWITCH and not (kind == _KEY and shown):
        bits.read(1)
    bits.read(1)
    screen_content = bits.flag() if sequence.screen_content == _CHOSEN_PER_FRAME else bool(sequence.screen_content)
    if screen_content and sequence.integer_motion == _CHOSEN_PER_FRAME:
        bits.read(1)
    bits.read(sequence.id_bits)
    return kind == _SWITCH or bits.flag()
