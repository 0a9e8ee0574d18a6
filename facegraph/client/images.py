"""Photos as callers have them, as files of a request."""

from __future__ import annotations

import io
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image
    from numpy.typing import NDArray

Image: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | BinaryIO | PIL.Image.Image | NDArray[np.uint8]"
"""What a photo may be; see `file_of`."""

_EXACT = ("RGB", "L")
"""Pillow's modes that are sent as they are."""
_CONVERTED = ("1", "P", "LA", "PA", "RGBA", "RGBa", "La", "RGBX", "CMYK", "YCbCr", "HSV", "LAB")
"""Those that are sent as RGB."""


@dataclass(frozen=True)
class File:
    """An encoded photo; its name is the label of the face that is enrolled from it."""

    name: str
    data: bytes


def file_of(image: Image) -> File:
    """A photo as a file of a request.

    Args:
        image: a path, an encoded file's bytes, or a file that is open for reading bytes, all of which are sent as
            they are; a Pillow image, turned upright as its EXIF data says, or a numpy array, uint8 of shape
            (height, width, 3) in the order RGB or (height, width) in grey, which are encoded as PNG, without loss.

    Raises:
        ValueError: an array of another type or shape, or a Pillow image of another depth.
        TypeError: something else.
        OSError: the file cannot be read.
    """
    if isinstance(image, str | os.PathLike):
        path = Path(image)
        return File(_as_unicode(path.name), path.read_bytes())
    if isinstance(image, bytes | bytearray):
        return File("photo", bytes(image))
    # Whoever has an image of either library has imported it: the client itself needs neither.
    if (pillow := sys.modules.get("PIL.Image")) and isinstance(image, pillow.Image):
        return File("photo.png", _png(image))
    if (numpy := sys.modules.get("numpy")) and isinstance(image, numpy.ndarray):
        return File("photo.png", _png(_image_of(image)))
    if (read := getattr(image, "read", None)) is None:
        kind = type(image).__name__
        raise TypeError(f"a photo is a path, bytes, an open file, a Pillow image or a numpy array, not {kind}")
    return File(_name(image), _bytes(read()))


def _name(file: object) -> str:
    name = getattr(file, "name", None)
    return _as_unicode(Path(name).name) if isinstance(name, str) and name else "photo"


def _as_unicode(name: str) -> str:
    """A file's name, with a question mark for each byte that is not UTF-8."""
    return name.encode("utf-8", "replace").decode()


def _bytes(data: object) -> bytes:
    if not isinstance(data, bytes):
        raise TypeError("the file is open for text: open it as 'rb'")
    return data


def _image_of(array: NDArray[np.uint8]) -> PIL.Image.Image:
    if array.dtype != "uint8":
        raise ValueError(f"an array's values are RGB or grey, uint8 from 0 to 255, not {array.dtype}")
    if array.size == 0 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)):
        raise ValueError(f"an array's shape is (height, width, 3) in RGB or (height, width) in grey, not {array.shape}")
    import PIL.Image

    return PIL.Image.fromarray(array)


def _png(image: PIL.Image.Image) -> bytes:
    import PIL.ImageOps

    if image.mode not in _EXACT + _CONVERTED:
        raise ValueError(f"a Pillow image has 8 bits a channel, as RGB or grey has; its mode is not {image.mode}")
    # PNG files that Pillow writes do not say how a photo was held.
    upright = PIL.ImageOps.exif_transpose(image)
    file = io.BytesIO()
    # Hardly larger than at the default level, and several times as fast.
    (upright if upright.mode in _EXACT else upright.convert("RGB")).save(file, "PNG", compress_level=1)
    return file.getvalue()
