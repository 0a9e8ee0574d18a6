"""Files that attack the decode gate: bombs, floods of chunks, damaged headers, and other formats sent as photos."""

import struct
import zlib
from typing import Any

import PIL.Image

from tests.imaging.pictures import Chunk, encoded, png


def flat(kind: str, width: int = 300, height: int = 300, mode: str = "RGB", **options: Any) -> bytes:
    """A file of one colour."""
    return encoded(PIL.Image.new(mode, (width, height)), kind, **options)


def zeros(count: int) -> bytes:
    """So many zeros, compressed a thousandfold."""
    packer, piece = zlib.compressobj(9), bytes(1_000_000)
    packed = [packer.compress(piece) for _ in range(count // len(piece))]
    return b"".join([*packed, packer.compress(bytes(count % len(piece))), packer.flush()])


def png_bomb(width: int, height: int, channels: int = 3) -> bytes:
    """A whole PNG of zeros, in RGB (3 channels) or RGBA (4)."""
    return png(width, height, 8, {3: 2, 4: 6}[channels], (b"IDAT", zeros(height * (1 + width * channels))))


def png_with(chunk: Chunk, count: int) -> bytes:
    """A small PNG with one chunk `count` times."""
    return png(10, 10, 8, 2, *[chunk] * count, (b"IDAT", zlib.compress(bytes(310))))


def bmp(width: int, height: int, bits: int = 24, compression: int = 0, body: bytes = b"", offset: int = 0) -> bytes:
    """A BMP file with the given header. `offset` overrides where it says that its pixels begin."""
    palette = bytes(1024) if bits == 8 else b""
    start = 54 + len(palette)
    head = b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, offset or start)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(body), 0, 0, len(palette) // 4, 0)
    return head + info + palette + body


def jpeg_claiming(width: int, height: int) -> bytes:
    """A small JPEG whose header claims another size."""
    data = bytearray(flat("JPEG"))
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def jpeg_with(segment: bytes, count: int) -> bytes:
    """A small JPEG that begins with one segment `count` times."""
    data = flat("JPEG")
    return data[:2] + segment * count + data[2:]


def jpeg_scans(width: int, height: int, count: int, hidden: bytes = b"") -> bytes:
    """A progressive JPEG whose last scan is repeated `count` times, each preceded by `hidden`."""
    data = flat("JPEG", width, height, "L", progressive=True)
    return data[:-2] + (hidden + data[data.rindex(b"\xff\xda") : -2]) * count + data[-2:]


def bombs() -> dict[str, dict[str, bytes]]:
    """Files that are small and take much work or memory to decode, by the code of their refusal and by name."""
    hidden_end = b"\xff\xfe\x00\x06\xff\xd9\xff\xd9"
    return {
        "IMAGE_TOO_LARGE": {
            "PNG that claims 50000x50000": png(50_000, 50_000, 8, 2, (b"IDAT", b"")),
            "PNG of 49 megapixels in 150 kilobytes": png_bomb(7000, 7000),
            "PNG of 1x49999999": png(1, 49_999_999, 8, 2, (b"IDAT", b"")),
            "JPEG that claims 65000x65000": jpeg_claiming(65_000, 65_000),
            "progressive JPEG of 49 megapixels": flat("JPEG", 7000, 7000, "L", progressive=True),
            "WEBP of 25 megapixels in a kilobyte": flat("WEBP", 5000, 5000, lossless=True, method=0),
            "BMP that claims 50000x50000": bmp(50_000, 50_000),
            "BMP of negative width": bmp(-100, 100, body=bytes(30_000)),
            "more bytes than are accepted": flat("JPEG") + bytes(11_000_000),
        },
        "IMAGE_TOO_COMPLEX": {
            "JPEG of a thousand scans": jpeg_scans(1000, 1000, 1000),
            "JPEG of twenty scans of 25 megapixels": jpeg_scans(5000, 5000, 14),
            "JPEG that hides its scans behind an end in a comment": jpeg_scans(1000, 1000, 1000, hidden_end),
            "JPEG of a million comments": jpeg_with(b"\xff\xfe\0\2", 1_000_000),
            "JPEG of a million beginnings": jpeg_with(b"\xff\xd8", 1_000_000),
            "PNG of 9000 profiles of a megabyte": png_with((b"iCCP", b"a\0\0" + zeros(1_000_000)), 9000),
            "PNG of 600000 texts": png_with((b"tEXt", b"a\0b"), 600_000),
            "PNG of 600000 pieces of pixels": png_with((b"IDAT", b""), 600_000),
        },
    }


def invalid() -> dict[str, bytes]:
    """Files that are refused as ``INVALID_IMAGE``, by name."""
    return {
        "nothing": b"",
        "JPEG of stray bytes": jpeg_with(b"\0", 10_000_000),
        "JPEG of restarts": jpeg_with(b"\xff\xd0", 5_000_000),
        "JPEG of no height": jpeg_claiming(100, 0),
        "JPEG of 1x51": flat("JPEG", 1, 51),
        "PNG of 51x1": png_bomb(51, 1),
        "BMP that is run-length encoded": bmp(300, 300, 8, 1, b"\0\2\xff\xff" * 3 + b"\0\1"),
        "BMP whose pixels begin beyond its end": bmp(300, 300, body=bytes(270_000), offset=2**31),
        "BMP without pixels": bmp(300, 300),
    }
