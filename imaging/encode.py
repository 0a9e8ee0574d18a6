"""Pixels back to a file."""

import cv2

from imaging.faces import Pixels


def png(pixels: Pixels) -> bytes:
    """A PNG file of `pixels`, without loss.

    Args:
        pixels: uint8 (height, width, 3), RGB.

    Raises:
        ValueError: there are none.
    """
    if not pixels.size:
        raise ValueError("no pixels cannot be encoded")
    # Only memory that is gone makes it fail, which OpenCV raises.
    _, file = cv2.imencode(".png", pixels[:, :, ::-1])
    return file.tobytes()
