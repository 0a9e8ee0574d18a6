"""PNG files of 16 bits per sample, brought to 8.

Microscopes, infrared cameras and raw converters store 10 or 12 bits in the lower part of 16. By the standard such a
photo is almost black. A file without a sample brighter than a sixteenth of white is taken for one of these; other dim
photos stay as they are.
"""

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

MOST_LOW = 0x0FFF
"""Largest sample of a photo whose upper bits count as empty."""
MOST_PIXELS = 12_500_000
"""Most pixels of a photo with 16-bit colours that is stretched, which takes 22 bytes per pixel."""


def shift(most: int) -> int:
    """Lower bits to drop from 16-bit samples whose largest is `most`."""
    return 8 if most > MOST_LOW else max(most.bit_length() - 8, 0)


def is_low(image: PIL.Image.Image) -> bool:
    """Check whether 16-bit colours leave the upper bits empty. Pillow gives their upper bytes as a photo of 8 bits.

    Photos of more than `MOST_PIXELS` are left as they are.
    """
    if image.width * image.height > MOST_PIXELS:
        return False
    extrema = np.atleast_2d(image.getextrema())
    colours = extrema[:-1] if image.mode in ("LA", "RGBA") else extrema
    return bool(colours.max() <= MOST_LOW >> 8)


def lower_bits(data: bytes) -> PIL.Image.Image:
    """The RGBA photo of a PNG file with 16-bit colours that leave the upper bits empty.

    Raises:
        ValueError: OpenCV cannot decode the file.
    """
    decoded = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16 or decoded.ndim != 3:
        raise ValueError("not a PNG file with 16-bit colours")
    samples: NDArray[np.uint16] = np.asarray(decoded, dtype=np.uint16)
    colours = samples[..., 2::-1]
    photo = np.full((*samples.shape[:2], 4), 255, dtype=np.uint8)
    photo[..., :3] = colours >> shift(int(colours.max()))
    if samples.shape[2] == 4:
        photo[..., 3] = samples[..., 3] >> 8
    return PIL.Image.fromarray(photo)
