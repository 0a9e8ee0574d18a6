"""Recognises the format of a file by its first bytes."""

import re

from project.request_error import RequestError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "HEIC", "AVIF")
"""The accepted formats, recognised by content and not by file name or declared type."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".heic", ".heif", ".hif", ".avif"})
"""Usual file suffixes of these formats, in lower case."""

_PHOTOS = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "WEBP": rb"RIFF....WEBP",
    "BMP": rb"BM",
    # Brands of HEIC and AVIF. The codec of the picture distinguishes the two.
    "HEIF": rb"....ftyp(?:hei[cxms]|hev[cxms]|mif[12]|msf1|miaf|avi[fs])",
}
_OTHERS = {
    "a JPEG XL": rb"\xff\x0a|\0\0\0\x0cJXL ",
    "a JPEG 2000": rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51",
    "a GIF": rb"GIF8[79]a",
    "a camera RAW": rb"II\*\0....CR|IIU\0|IIR[OS]|MMOR|FUJIFILMCCD-RAW|FOVb|\0MRM|....ftypcrx ",
    "a TIFF or camera RAW": rb"II[*+]\0|MM\0[*+]",
    "a Photoshop (PSD)": rb"8BPS",
    "an SVG": rb"(?:\xef\xbb\xbf)?\s{0,99}<(?:svg|\?xml.{0,999}?<svg|!--.{0,999}?<svg|!DOCTYPE\s+svg)",
    "a PDF": rb"%PDF-",
    "a PostScript": rb"%!PS",
    # Require a nonzero image count, because a TGA file can start with the same four bytes.
    "an ICO": rb"\0\0[\x01\x02]\0(?!\0\0)",
    "a video": rb"....(?:ftyp|moov|mdat|wide)|\x1a\x45\xdf\xa3|RIFF....AVI ",
    "an HTML": rb"(?i:\s{0,99}<(?:!DOCTYPE\s+html|html))",
    "a ZIP": rb"PK\x03\x04",
}


def recognise(data: bytes) -> str:
    """Return ``JPEG``, ``PNG``, ``WEBP``, ``BMP`` or ``HEIF`` (for HEIC and AVIF), by the first bytes of the file.

    Raises:
        RequestError: ``INVALID_IMAGE`` for any other format, with its name in the message if it is known.
    """
    for name, pattern in _PHOTOS.items():
        if re.match(pattern, data, re.DOTALL):
            return name
    *others, last = FORMATS
    for name, pattern in _OTHERS.items():
        if re.match(pattern, data, re.DOTALL):
            text = f"The image is {name} file; only {', '.join(others)} and {last} files are accepted"
            raise RequestError("INVALID_IMAGE", text)
    raise RequestError("INVALID_IMAGE", f"The image is not a {', '.join(others)} or {last} file")
