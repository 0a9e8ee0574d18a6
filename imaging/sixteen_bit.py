"""16-bit PNG files whose samples use only the lower bits.

Microscopes, infrared cameras and raw converters store 10 or 12 bits in the lower part of 16. Decoded according to the
standard, such a photo is almost black. A file counts as one of these if no sample is brighter than a sixteenth of
white. Other dim photos are left as they are.
"""

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

MAX_LOW = 0x0FFF
"""Maximum sample of a photo whose upper bits count as empty."""
MAX_PIXELS = 12_500_000
"""Maximum number of pixels of a 16-bit colour photo to brighten, which takes 22 bytes per pixel."""


def bits_to_drop(largest: int) -> int:
    """Number of lower bits to drop from 16-bit samples, given the largest of them."""
    return 8 if largest > MAX_LOW else max(largest.bit_length() - 8, 0)


def uses_lower_bits(image: PIL.Image.Image) -> bool:
    """Check whether the upper bits of 16-bit colours are empty, from the upper bytes that Pillow decodes.

    Photos of more than `MAX_PIXELS` are left as they are.
    """
    if image.width * image.height > MAX_PIXELS:
        return False
    extrema = np.atleast_2d(image.getextrema())
    colours = extrema[:-1] if image.mode in ("LA", "RGBA") else extrema
    return bool(colours.max() <= MAX_LOW >> 8)


def decode_lower_bits(data: bytes) -> PIL.Image.Image:
    """Decode a PNG file with 16-bit colours whose upper bits are empty to an RGBA image.

    Raises:
        ValueError: OpenCV cannot decode the file.
    """
    decoded = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16 or decoded.ndim != 3:
        raise ValueError("not a PNG file with 16-bit colours")
    samples: NDArray[np.uint16] = np.asarray(decoded, dtype=np.uint16)
    colours = samples[..., 2::-1]
    photo = np.full((*samples.shape[:2], 4), 255, dtype=np.uint8)
    photo[..., :3] = colours >> bits_to_drop(int(colours.max()))
    if samples.shape[2] == 4:
        photo[..., 3] = samples[..., 3] >> 8
    return PIL.Image.fromarray(photo)
