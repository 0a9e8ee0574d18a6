"""Encoded photos out of requests: base64 in a field, a file in a form, an address."""

import re

import pybase64
from fastapi import UploadFile

from api.addresses import too_large
from api.service import Service
from imaging.refused import Refused

_DATA_URL = re.compile(r"data:[\w.+-]{1,64}/[\w.+-]{1,64};base64,", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)


async def from_field(field: str, service: Service) -> bytes:
    """The photo in a field that holds an address or base64.

    Raises:
        Refused: as `from_base64` and `Addresses.fetch` raise it.
    """
    if _ADDRESS.match(field):
        return await service.addresses.fetch(field)
    return from_base64(field, service.limits.max_image_size)


def from_base64(field: str, max_bytes: int) -> bytes:
    """The photo in a field that holds base64, with or without a ``data:`` prefix.

    Raises:
        Refused: ``IMAGE_TOO_LARGE`` before anything is decoded; ``INVALID_IMAGE`` for what is not base64.
    """
    prefix = _DATA_URL.match(field)
    text = field[prefix.end() :] if prefix else field
    # Many encoders break lines.
    if "\n" in text:
        text = text.replace("\r", "").replace("\n", "")
    # Four characters carry three bytes.
    if len(text) // 4 * 3 > max_bytes + 2:
        raise too_large(max_bytes)
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError:
        raise Refused("INVALID_IMAGE", "The image is neither an address nor base64") from None


async def from_upload(file: UploadFile, max_bytes: int) -> bytes:
    """The photo in a file of a form.

    Raises:
        Refused: ``IMAGE_TOO_LARGE``.
    """
    if file.size is None or file.size > max_bytes:
        raise too_large(max_bytes)
    return await file.read()
