"""Small pictures, their files, and what the decode gate makes of a file."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
import pytest

from imaging.decode import Limits, decode
from imaging.faces import Pixels
from project.request_error import RequestError

DAMAGED = "INVALID_IMAGE: The image is damaged and cannot be decoded"
COMPLEX = "IMAGE_TOO_COMPLEX: The image's structure is too complex"
ORIENTATION_TAG = 0x0112


def noise(width: int, height: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def gradient(width: int, height: int) -> Pixels:
    """A picture that survives lossy formats and scaling."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.dstack([x, y, 255 - x]).astype(np.uint8)


def encoded(picture: Pixels | PIL.Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    image = picture if isinstance(picture, PIL.Image.Image) else PIL.Image.fromarray(np.ascontiguousarray(picture))
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def flat(kind: str, width: int = 300, height: int = 300, mode: str = "RGB", **options: Any) -> bytes:
    """A file of one colour."""
    return encoded(PIL.Image.new(mode, (width, height)), kind, **options)


def exif(orientation: int) -> PIL.Image.Exif:
    tags = PIL.Image.Exif()
    tags[ORIENTATION_TAG] = orientation
    return tags


Chunk = tuple[bytes, bytes]


def png(width: int, height: int, depth: int, colour: int, *chunks: Chunk, interlaced: bool = False) -> bytes:
    """A PNG file with the given header and chunks."""
    header = (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in (header, *chunks, (b"IEND", b"")))


def png_chunk(kind: bytes, body: bytes, checksum: int | None = None) -> bytes:
    checksum = zlib.crc32(kind + body) if checksum is None else checksum
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def outcome(data: bytes, limits: Limits | None = None) -> str:
    """Width and height of the decoded photo, or the refusal's code and message."""
    try:
        photo = decode(data, limits or Limits())
    except RequestError as refused:
        return str(refused)
    return f"{photo.width}x{photo.height}"


def refusal(function: Callable[..., object], *args: object) -> RequestError:
    """The refusal that `function` raises."""
    with pytest.raises(RequestError) as caught:
        function(*args)
    return caught.value


def compared(data: bytes, expected: Pixels) -> str:
    """``whole`` if the decoded pixels are the expected ones, ``other pixels``, or the refusal's code and message."""
    try:
        pixels = decode(data, Limits()).pixels
    except RequestError as refused:
        return str(refused)
    return "whole" if np.array_equal(pixels, expected) else "other pixels"


def difference(data: bytes, expected: Pixels) -> float:
    """Mean difference between the decoded pixels and the expected ones."""
    pixels = decode(data, Limits()).pixels
    assert pixels.shape == expected.shape
    return float(np.abs(pixels.astype(int) - expected).mean())
