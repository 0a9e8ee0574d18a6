"""Photos in requests: base64 in a field, a file in a form, or a URL."""

import binascii
import re

import pybase64
from fastapi import UploadFile

from api.service import Service
from imaging.photo_errors import too_large
from project.request_error import RequestError

_DATA_URL = re.compile(r'\s*data:((?:[^,"]|"[^"]*"){0,1000}),', re.IGNORECASE)
_BASE64 = re.compile(r"; *base64 *$", re.IGNORECASE)
_SPACES = b" \t\n\f\r"
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)


async def from_field(field: str, service: Service) -> bytes:
    """Get the photo from a field that holds a URL or base64.

    Raises:
        RequestError: see `from_base64` and `PhotoDownloads.fetch`.
    """
    if _ADDRESS.match(field):
        return await service.downloads.fetch(field)
    return from_base64(field, service.limits.max_image_size, "neither a URL nor valid base64")


def from_base64(field: str, max_bytes: int, problem: str = "not valid base64") -> bytes:
    """Decode the photo in a field that holds base64 or a data URL (RFC 2397), which may be percent-encoded instead.

    Base64 may use either alphabet, contain whitespace and lack padding. `problem` is what the error says of other text.

    Raises:
        RequestError: ``IMAGE_TOO_LARGE``, before anything is decoded; ``INVALID_IMAGE`` if it is not base64.
    """
    if url := _DATA_URL.match(field):
        media_type, field = url[1], field[url.end() :]
        if not _BASE64.search(media_type):
            return _from_percents(field, max_bytes)
    # Many encoders wrap lines; removing line breaks here avoids the slow path below.
    if "\n" in field:
        field = field.replace("\r", "").replace("\n", "")
    try:
        # Most photos are plain base64.
        if _fits(field, max_bytes):
            return pybase64.b64decode(field, validate=True)
    except ValueError:
        pass
    try:
        text = field.encode("ascii")
        if url and b"%" in text:
            # Remove whitespace first: quoted-printable drops a percent sign at the end of a line.
            text = _unquoted(text.translate(None, _SPACES))
        text = text.translate(_URL_SAFE, _SPACES)
        if not _fits(text, max_bytes):
            raise too_large(max_bytes)
        padding = b"" if text.endswith(b"=") else b"=" * (-len(text) % 4)
        return pybase64.b64decode(text + padding, validate=True)
    except ValueError:
        address = _ADDRESS.match(field) is not None
        problem = "a URL, but only base64 is accepted here" if address else problem
        raise RequestError("INVALID_IMAGE", f"The image is {problem}") from None


def _fits(base64: str | bytes, max_bytes: int) -> bool:
    # Four characters encode three bytes. Up to two of the bytes can be padding.
    return len(base64) * 3 // 4 <= max_bytes + 2


def _from_percents(text: str, max_bytes: int) -> bytes:
    if len(text) - 2 * text.count("%") > max_bytes:
        raise too_large(max_bytes)
    # Tabs and line breaks are not part of a URL.
    return _unquoted(text.encode("utf-8", "replace").translate(None, b"\t\n\r"))


def _unquoted(text: bytes) -> bytes:
    # Decode as quoted-printable, which differs only in its escape character and is decoded in C; urllib takes seconds
    # for a 10 MB photo. Quoted-printable drops an escape character at the end, so encode it first.
    text += b"25" if text.endswith(b"%") else b""
    return binascii.a2b_qp(text.replace(b"=", b"=3D").replace(b"%", b"="))


async def from_upload(file: UploadFile, max_bytes: int, name: str | None = None) -> bytes:
    """Read the photo in a form's file. An error begins with `name`.

    Raises:
        RequestError: ``IMAGE_TOO_LARGE``.
    """
    if file.size is None or file.size > max_bytes:
        refused = too_large(max_bytes)
        raise RequestError(refused.code, f"{name}: {refused.message}") if name else refused
    return await file.read()
