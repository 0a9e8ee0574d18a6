"""Writes the headers of HEVC and AV1 pictures, whose numbers have any bit length."""

from collections.abc import Sequence


def bits(*fields: str | int) -> bytes:
    """Binary digits, and numbers in exponential Golomb code; then a one, and padding."""
    text = "".join(field if isinstance(field, str) else _golomb(field) for field in fields).replace(" ", "") + "1"
    return int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8))


def _golomb(value: int) -> str:
    digits = f"{value + 1:b}"
    return "0" * (len(digits) - 1) + digits


def parameter_set(
    width: int,
    height: int,
    chroma: int = 1,
    depth: int = 8,
    *,
    layers: Sequence[str] = (),
    planes: str = "0",
    cropped: bool = False,
    colour_depth: int | None = None,
) -> bytes:
    """An HEVC sequence parameter set (7.3.2.2). A layer is two digits: whether it has a profile, and a level."""
    flags = "".join(layers) + "00" * (8 - len(layers)) if layers else ""
    # There are no zeros in a row, so no start code needs to be escaped.
    profiles = "01" * (48 + 44 * flags[::2].count("1") + 4 * flags[1::2].count("1"))
    general, format = f"0000 {len(layers):03b} 0" + profiles[:96] + flags + profiles[96:], planes * (chroma == 3)
    crop = ["1", 1, 1, 1, 1] if cropped else ["0"]
    data = bits(general, 0, chroma, format, width, height, *crop, depth - 8, (colour_depth or depth) - 8)
    return b"\x42\x01" + data.replace(b"\0\0", b"\0\0\3")


def hevc_units(*each: bytes, length_size: int = 4) -> bytes:
    return b"".join(len(unit).to_bytes(length_size) + unit for unit in each)


def av1_unit(kind: int, body: bytes, extended: bool = False) -> bytes:
    """An open bitstream unit of AV1 (5.3) with its length."""
    length = len(body)
    head = bytes([kind << 3 | extended << 2 | 2]) + b"\0" * extended
    return head + (bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7])) + body


def av1_sequence(width: int, height: int) -> bytes:
    """A reduced sequence header (5.5) without what follows the size."""
    return av1_unit(1, bits("000 1 1 01000 1111 1111", f"{width - 1:016b} {height - 1:016b}", "0" * 23))
