"""Estimates the work of decoding a HEVC picture (ITU-T H.265) from its headers."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from imaging.bit_reader import BitReader
from imaging.photo_errors import damaged, too_complex

MAX_NAL_UNITS = 1024
"""Maximum number of NAL units per picture: parameter sets, messages and slices."""

_SPS = 33
_LAST_SLICE_TYPE = 31
_NEVER = b"\0\0\0"
"""Never occurs in an intact unit (7.4.2). A file with such a unit was truncated and padded."""
_HEADER = 512
"""Bytes read from each unit. The size of the picture is within the first hundred bytes of its parameter set."""


@dataclass(frozen=True, slots=True)
class SampleFormat:
    """``chroma_format_idc`` (0 for grey, 1 to 3 for colour), and bits per sample."""

    chroma: int
    depth: int


def sample_format(configuration: bytes) -> SampleFormat:
    """Read the sample format from the body of an ``hvcC`` box.

    Raises:
        RequestError: ``INVALID_IMAGE`` if it is too short.
    """
    if len(configuration) < 23:
        raise damaged()
    return SampleFormat(configuration[16] & 3, 8 + (configuration[17] & 7))


def hevc_work(configuration: bytes, coded: bytes) -> tuple[int, int]:
    """Pixels of the largest picture in the parameter sets, and number of slices. Each slice may cover the picture.

    pi-heif takes the sample format from the ``hvcC`` box and writes out of bounds if it is wrong, so the box must agree
    with every parameter set.

    Args:
        configuration: body of the ``hvcC`` box (ISO/IEC 14496-15, 8.3.3.1).
        coded: units, each preceded by its length.

    Raises:
        RequestError: ``IMAGE_TOO_COMPLEX`` for several pictures or too many units; ``INVALID_IMAGE`` for damaged
            headers.
    """
    expected = sample_format(configuration)
    pixels = slices = pictures = 0
    units = chain(_parameter_sets(configuration), _units(coded, 1 + (configuration[21] & 3)))
    for number, unit in enumerate(units):
        if number > MAX_NAL_UNITS:
            raise too_complex()
        kind = unit[0] >> 1 & 0x3F
        if kind == _SPS:
            width, height, actual = _sequence(unit)
            if actual != expected:
                raise damaged()
            pixels = max(pixels, width * height)
        elif kind <= _LAST_SLICE_TYPE:
            slices += 1
            pictures += unit[2] >> 7
    if pictures > 1:
        raise too_complex()
    return pixels, slices


def _parameter_sets(configuration: bytes) -> Iterator[bytes]:
    place = 23
    for _ in range(configuration[22]):
        count = int.from_bytes(configuration[place + 1 : place + 3])
        place += 3
        for _ in range(count):
            length = int.from_bytes(configuration[place : place + 2])
            yield _unit(configuration, place + 2, length)
            place += 2 + length


def _units(coded: bytes, size: int) -> Iterator[bytes]:
    place = 0
    while place < len(coded):
        length = int.from_bytes(coded[place : place + size])
        yield _unit(coded, place + size, length)
        place += size + length


def _unit(data: bytes, place: int, length: int) -> bytes:
    """The first `_HEADER` bytes of a unit."""
    if length < 3 or place + length > len(data) or data.find(_NEVER, place, place + length) >= 0:
        raise damaged()
    return data[place : place + min(length, _HEADER)]


def _sequence(unit: bytes) -> tuple[int, int, SampleFormat]:
    """Width, height and sample format of a sequence parameter set (7.3.2.2)."""
    bits = BitReader(unit[2:].replace(b"\0\0\3", b"\0\0"))
    bits.read(4)
    layers = bits.read(3)
    bits.read(1 + 88 + 8)  # The general profile and level.
    present = [(bits.flag(), bits.flag()) for _ in range(layers)]
    if layers:
        bits.read(2 * (8 - layers))
    for profile, level in present:
        bits.read(88 * profile + 8 * level)
    bits.exp_golomb()
    chroma = bits.exp_golomb()
    if chroma == 3 and bits.flag():
        raise damaged()  # Separate colour planes, which libde265 does not decode.
    width, height = bits.exp_golomb(), bits.exp_golomb()
    if bits.flag():
        for _ in range(4):
            bits.exp_golomb()
    depth, depth_of_colour = bits.exp_golomb(), bits.exp_golomb()
    if chroma and depth != depth_of_colour:
        raise damaged()
    return width, height, SampleFormat(chroma, 8 + depth)
