"""Photos in the fields of a JSON request."""

import binascii
import re

from imaging.refused import Refused

_DATA_URL = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)


def photo_bytes(field: str, max_bytes: int) -> bytes:
    """The encoded photo in a field that holds base64, with or without a ``data:`` prefix.

    Raises:
        Refused: ``URL_NOT_ALLOWED`` for an address; ``IMAGE_TOO_LARGE`` before anything is decoded;
            ``INVALID_IMAGE`` for what is not base64.
    """
    if _ADDRESS.match(field):
        raise Refused("URL_NOT_ALLOWED", "Addresses are not fetched by this service; send the photo as base64")
    prefix = _DATA_URL.match(field)
    text = field[prefix.end() :] if prefix else field
    # Many encoders break lines.
    if "\n" in text:
        text = text.replace("\r", "").replace("\n", "")
    # Four characters carry three bytes.
    if len(text) // 4 * 3 > max_bytes + 2:
        raise Refused("IMAGE_TOO_LARGE", f"The image has more than the {max_bytes} bytes that are accepted")
    try:
        return binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (UnicodeEncodeError, binascii.Error):
        raise Refused("INVALID_IMAGE", "The image is neither an address nor base64") from None
