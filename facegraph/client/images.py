"""Converts photos of all accepted types to files to upload."""

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
"""A photo as the client's methods accept it; see `upload_from`."""

_SENT_AS_IS = ("RGB", "L")
_SENT_AS_RGB = ("1", "P", "LA", "PA", "RGBA", "RGBa", "La", "RGBX", "CMYK", "YCbCr", "HSV", "LAB")
"""Pillow modes with 8 bits per channel or fewer."""


@dataclass(frozen=True)
class Upload:
    """An encoded photo. The service keeps `name` as the label of the face enrolled from it."""

    name: str
    data: bytes


def upload_from(image: Image) -> Upload:
    """Convert a photo to a file to upload.

    Args:
        image: a path, the bytes of an encoded photo, or a binary file object, all of which are sent unchanged; a
            Pillow image, which is rotated according to its EXIF orientation; or a numpy array, uint8 of shape (height,
            width, 3) in RGB order or (height, width) in grey. Pillow images and arrays are encoded as PNG.

    Raises:
        ValueError: a URL, an array of another dtype or shape, or a Pillow image with more than 8 bits per channel.
        TypeError: any other type.
        OSError: the file cannot be read.
    """
    if isinstance(image, str | os.PathLike):
        if isinstance(image, str) and image.startswith(("http://", "https://", "data:")):
            raise ValueError("a photo is a path or bytes, not a URL: download it first")
        path = Path(image)
        return Upload(_utf8(path.name), path.read_bytes())
    if isinstance(image, bytes | bytearray):
        return Upload("photo", bytes(image))
    # Neither library is a dependency, but a caller with such an image has imported it.
    if (pillow := sys.modules.get("PIL.Image")) and isinstance(image, pillow.Image):
        return Upload("photo.png", _png(image))
    if (numpy := sys.modules.get("numpy")) and isinstance(image, numpy.ndarray):
        return Upload("photo.png", _png(_pillow_image(image)))
    if (read := getattr(image, "read", None)) is None:
        kind = type(image).__name__
        raise TypeError(f"a photo is a path, bytes, a file object, a Pillow image or a numpy array, not {kind}")
    name, data = getattr(image, "name", None), read()
    if not isinstance(data, bytes):
        raise TypeError("the file is open in text mode: open it as 'rb'")
    return Upload(_utf8(Path(name).name) if isinstance(name, str) and name else "photo", data)


def _utf8(name: str) -> str:
    """The file name with a question mark for each byte that is not UTF-8."""
    return name.encode("utf-8", "replace").decode()


def _pillow_image(array: NDArray[np.uint8]) -> PIL.Image.Image:
    if array.dtype != "uint8":
        raise ValueError(f"an array must be uint8 in RGB or grey, not {array.dtype}")
    if array.size == 0 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)):
        raise ValueError(f"an array must be (height, width, 3) in RGB or (height, width) in grey, not {array.shape}")
    import PIL.Image

    return PIL.Image.fromarray(array)


def _png(image: PIL.Image.Image) -> bytes:
    import PIL.ImageOps

    if image.mode not in _SENT_AS_IS + _SENT_AS_RGB:
        raise ValueError(f"a Pillow image must have 8 bits per channel in RGB or grey; its mode is {image.mode}")
    # Pillow does not write the orientation into PNG files.
    upright = PIL.ImageOps.exif_transpose(image)
    file = io.BytesIO()
    # Level 1 is several times as fast as the default, and the files are hardly larger.
    (upright if upright.mode in _SENT_AS_IS else upright.convert("RGB")).save(file, "PNG", compress_level=1)
    return file.getvalue()
