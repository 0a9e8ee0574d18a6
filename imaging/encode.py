"""Encodes pixels as a file."""

import cv2

from imaging.faces import Pixels


def encode_png(pixels: Pixels) -> bytes:
    """Encode `pixels` as a PNG file, which is lossless.

    Args:
        pixels: uint8 (height, width, 3), RGB.

    Raises:
        cv2.error: `pixels` is empty, or memory ran out.
    """
    _, file = cv2.imencode(".png", pixels[:, :, ::-1])
    return file.tobytes()
