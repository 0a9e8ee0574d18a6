"""Files that strangers send: bombs, floods, ruins, and other things under a photo's name."""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import PIL.Image

Chunk = tuple[bytes, bytes]


def encoded(kind: str, width: int = 300, height: int = 300, mode: str = "RGB", **options: Any) -> bytes:
    """A whole file of one colour."""
    file = io.BytesIO()
    PIL.Image.new(mode, (width, height)).save(file, kind, **options)
    return file.getvalue()


def png(width: int, height: int, depth: int, colour: int, *chunks: Chunk) -> bytes:
    """A PNG file with the header and chunks as given."""
    header = (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    parts = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in (header, *chunks, (b"IEND", b""))
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def zeros(count: int) -> bytes:
    """So many zeros, compressed a thousandfold."""
    packer, piece = zlib.compressobj(9), bytes(1_000_000)
    packed = [packer.compress(piece) for _ in range(count // len(piece))]
    return b"".join([*packed, packer.compress(bytes(count % len(piece))), packer.flush()])


def png_bomb(width: int, height: int, channels: int = 3) -> bytes:
    """A whole PNG of zeros: RGB, or RGBA of four channels."""
    return png(width, height, 8, {3: 2, 4: 6}[channels], (b"IDAT", zeros(height * (1 + width * channels))))


def png_with(chunk: Chunk, count: int) -> bytes:
    """A small PNG with one chunk over and over."""
    return png(10, 10, 8, 2, *[chunk] * count, (b"IDAT", zlib.compress(bytes(310))))


def bmp(width: int, height: int, bits: int = 24, compression: int = 0, body: bytes = b"", offset: int = 0) -> bytes:
    """A BMP file with the header as given; `offset` is where it says that its pixels begin, if not where they do."""
    palette = bytes(1024) if bits == 8 else b""
    start = 54 + len(palette)
    head = b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, offset or start)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(body), 0, 0, len(palette) // 4, 0)
    return head + info + palette + body


def jpeg_claiming(width: int, height: int) -> bytes:
    """A small JPEG whose header claims another size."""
    data = bytearray(encoded("JPEG"))
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def jpeg_with(segment: bytes, count: int) -> bytes:
    """A small JPEG with one segment over and over before its others."""
    data = encoded("JPEG")
    return data[:2] + segment * count + data[2:]


def jpeg_scans(width: int, height: int, count: int, hidden: bytes = b"") -> bytes:
    """A progressive JPEG whose last scan is repeated `count` times, with `hidden` before each."""
    data = encoded("JPEG", width, height, "L", progressive=True)
    return data[:-2] + (hidden + data[data.rindex(b"\xff\xda") : -2]) * count + data[-2:]


def webp_claiming(width: int, height: int) -> bytes:
    """The header of a WEBP file, and no pixels."""
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + sizes
    return b"RIFF" + struct.pack("<I", len(body)) + body


def too_large() -> dict[str, bytes]:
    """Files that are refused as ``IMAGE_TOO_LARGE``, by name."""
    return {
        "PNG that claims 50000x50000": png(50_000, 50_000, 8, 2, (b"IDAT", b"")),
        "PNG of 49 megapixels in 150 kilobytes": png_bomb(7000, 7000),
        "PNG of 1x49999999": png(1, 49_999_999, 8, 2, (b"IDAT", b"")),
        "PNG of 49999999x1": png(49_999_999, 1, 8, 2, (b"IDAT", b"")),
        "JPEG that claims 65000x65000": jpeg_claiming(65_000, 65_000),
        "progressive JPEG of 49 megapixels": encoded("JPEG", 7000, 7000, "L", progressive=True),
        "WEBP of 25 megapixels in a kilobyte": encoded("WEBP", 5000, 5000, lossless=True, method=0),
        "BMP that claims 50000x50000": bmp(50_000, 50_000),
        "BMP of negative width": bmp(-100, 100, body=bytes(30_000)),
        "more bytes than are accepted": encoded("JPEG") + bytes(11_000_000),
    }


def too_complex() -> dict[str, bytes]:
    """Files that are refused as ``IMAGE_TOO_COMPLEX``, by name."""
    return {
        "JPEG of a thousand scans": jpeg_scans(1000, 1000, 1000),
        "JPEG of twenty scans of 25 megapixels": jpeg_scans(5000, 5000, 14),
        "JPEG that hides its scans behind an end in a comment": jpeg_scans(
            1000, 1000, 1000, b"\xff\xfe\x00\x06\xff\xd9\xff\xd9"
        ),
        "JPEG of a million comments": jpeg_with(b"\xff\xfe\0\2", 1_000_000),
        "JPEG of a million beginnings": jpeg_with(b"\xff\xd8", 1_000_000),
        "PNG of 9000 profiles of a megabyte": png_with((b"iCCP", b"a\0\0" + zeros(1_000_000)), 9000),
        "PNG of 600000 texts": png_with((b"tEXt", b"a\0b"), 600_000),
        "PNG of 600000 pieces of pixels": png_with((b"IDAT", b""), 600_000),
    }


def invalid() -> dict[str, bytes]:
    """Files that are refused as ``INVALID_IMAGE``, by name."""
    return {
        "nothing": b"",
        "text": b"hello, world\n" * 100,
        "zeros": bytes(10_000),
        "HTML": b"<!DOCTYPE html><html><script>alert(1)</script></html>",
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "HEIC without a picture": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(1000),
        "AVIF without a picture": b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + bytes(1000),
        "archive": b"PK\x03\x04" + bytes(1000),
        "executable": b"\x7fELF" + bytes(1000),
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        **{kind: encoded(kind) for kind in ("GIF", "TIFF", "ICO", "PDF", "PPM", "TGA", "JPEG2000")},
        "GIF with a JPEG behind it": b"GIF89a" + bytes(20) + encoded("JPEG"),
        "JPEG after a line": b"\n" + encoded("JPEG"),
        "JPEG of stray bytes": jpeg_with(b"\0", 10_000_000),
        "JPEG of restarts": jpeg_with(b"\xff\xd0", 5_000_000),
        "JPEG of no height": jpeg_claiming(100, 0),
        "JPEG of 1x65000": encoded("JPEG", 1, 65_000),
        "PNG of 51x1": png_bomb(51, 1),
        "PNG of too few pixels": png(500, 500, 8, 2, (b"IDAT", zeros(1000))),
        "PNG of wrong checksums": png_bomb(300, 300).replace(b"IDAT", b"IDAU"),
        "BMP that is run-length encoded": bmp(300, 300, 8, 1, b"\0\2\xff\xff" * 3 + b"\0\1"),
        "BMP whose pixels begin beyond its end": bmp(300, 300, body=bytes(270_000), offset=2**31),
        "BMP without pixels": bmp(300, 300),
        "WEBP without pixels": webp_claiming(300, 300),
    }


def cut() -> Iterator[tuple[str, bytes]]:
    """Files of every format that end too early, at each twentieth."""
    for kind in ("JPEG", "PNG", "WEBP", "BMP", "AVIF"):
        file = io.BytesIO()
        PIL.Image.effect_noise((320, 240), 64).save(file, kind)
        whole = file.getvalue()
        for part in range(1, 20):
            yield f"{kind} cut at {part}/20", whole[: len(whole) * part // 20]


def gradient(width: int, height: int, mode: str) -> bytes:
    """A whole PNG, no two rows or columns of which are alike."""
    across = PIL.Image.linear_gradient("L").resize((width, height))
    down = PIL.Image.linear_gradient("L").rotate(90).resize((width, height))
    if mode == "I;16":
        image = across.convert("I").point(lambda value: value * 250).convert("I;16")
    else:
        image = PIL.Image.merge(mode, (across, down, across, down)[: len(mode)])
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()
