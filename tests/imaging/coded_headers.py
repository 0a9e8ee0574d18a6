"""Writes the headers of HEVC and AV1 pictures, whose numbers have any bit length."""

from dataclasses import dataclass


class BitWriter:
    """Collects bits, most significant first."""

    def __init__(self) -> None:
        self._text = ""

    def put(self, *fields: tuple[int, int]) -> "BitWriter":
        """Append each value in as many bits."""
        self._text += "".join(f"{int(value):0{int(size)}b}" for value, size in fields if size)
        return self

    def put_golomb(self, *values: int) -> "BitWriter":
        """Append each value in exponential Golomb code."""
        for value in values:
            digits = f"{value + 1:b}"
            self._text += "0" * (len(digits) - 1) + digits
        return self

    def data(self) -> bytes:
        """All bits, a one, and padding."""
        text = self._text + "1"
        return int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8))


# Without zeros, so that no start code needs to be escaped.
PROFILE = int.from_bytes(b"\x55" * 11)


@dataclass(frozen=True)
class ParameterSet:
    """A sequence parameter set (7.3.2.2)."""

    width: int = 640
    height: int = 480
    chroma: int = 1
    depth: int = 8
    layers: tuple[tuple[bool, bool], ...] = ()
    cropped: bool = False
    separate_planes: bool = False
    colour_depth: int | None = None

    def unit(self) -> bytes:
        bits = BitWriter().put((0, 4), (len(self.layers), 3), (0, 1), (PROFILE, 88), (90, 8))
        for has_profile, has_level in self.layers:
            bits.put((has_profile, 1), (has_level, 1))
        if self.layers:
            bits.put(*[(0, 2)] * (8 - len(self.layers)))
        for has_profile, has_level in self.layers:
            bits.put((PROFILE, 88 * has_profile), (1, 8 * has_level))
        bits.put_golomb(0, self.chroma)
        if self.chroma == 3:
            bits.put((self.separate_planes, 1))
        bits.put_golomb(self.width, self.height).put((self.cropped, 1)).put_golomb(*[1] * 4 * self.cropped)
        bits.put_golomb(self.depth - 8, (self.colour_depth or self.depth) - 8)
        return b"\x42\x01" + bits.data().replace(b"\0\0", b"\0\0\3")


def hevc_units(*each: bytes, length_size: int = 4) -> bytes:
    return b"".join(len(unit).to_bytes(length_size) + unit for unit in each)


def av1_unit(kind: int, body: bytes, extended: bool = False) -> bytes:
    """An open bitstream unit (5.3) with its length."""
    length = len(body)
    head = bytes([kind << 3 | extended << 2 | 2]) + b"\0" * extended
    return head + (bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7])) + body
