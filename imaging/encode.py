"""Encodes pixels as a file."""

import cv2

from imaging.faces import Pixels


def encode_png(pixels: Pixels) -> bytes:
    """Encode `pixels` as a PNG file, which is lossless.

    Args:
        pixels: uint8 (height, width, 3), RGB.

    Raises:
        ValueError: `pixels` is empty.
        cv2.error: memory ran out.
    """
    if not pixels.size:
        raise ValueError("an image without pixels cannot be encoded")
    _, file = cv2.imencode(".png", pixels[:, :, ::-1])
    return file.tobytes()
