"""Recognising a photo's format by its first bytes."""

import re

from imaging.refused import Refused

_SIGNATURES = {
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "WEBP": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "BMP": re.compile(rb"BM"),
}
FORMATS = tuple(_SIGNATURES)
"""What is decoded, recognised by content; a file's name and declared type do not matter."""


def recognise(data: bytes) -> str:
    """The member of `FORMATS` that the file's first bytes announce.

    Raises:
        Refused: ``INVALID_IMAGE``: it is none of them.
    """
    for name, signature in _SIGNATURES.items():
        if signature.match(data):
            return name
    raise Refused("INVALID_IMAGE", f"The image is not a {', '.join(FORMATS[:-1])} or {FORMATS[-1]} file")
