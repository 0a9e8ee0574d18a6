"""Formats are recognised by content, and other known ones are refused by name."""

from imaging.formats import recognise
from tests.imaging.pictures import refusal

NAMED = {
    "a JPEG XL": [b"\xff\x0a\xfa\x1f", b"\0\0\0\x0cJXL \r\n\x87\n"],
    "a JPEG 2000": [b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51\0\x2f"],
    "a GIF": [b"GIF87a", b"GIF89a"],
    "a TIFF or camera RAW": [b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"II+\0\x08\0\0\0"],
    "a camera RAW": [b"II*\0\x10\0\0\0CR\2\0", b"FUJIFILMCCD-RAW 0201", b"\0\0\0\x18ftypcrx ", b"IIU\0", b"IIRO"],
    "a Photoshop (PSD)": [b"8BPS\0\1"],
    "an SVG": [b'<svg xmlns="a">', b'<?xml version="1.0"?>\n<!-- a -->\n<svg>', b"\xef\xbb\xbf\n<svg>"],
    "a PDF": [b"%PDF-1.7"],
    "a PostScript": [b"%!PS-Adobe-3.0"],
    "an ICO": [b"\0\0\1\0\1\0"],
    "a video": [
        *(b"\0\0\0\x18ftyp" + brand for brand in (b"isom", b"mp42", b"qt  ", b"3gp4", b"M4V ", b"avc1")),
        *(b"\0\0\0\x08" + kind for kind in (b"moov", b"mdat", b"wide")),
        b"\x1a\x45\xdf\xa3",
        b"RIFF\0\0\0\0AVI LIST",
    ],
    "an HTML": [b"<!doctype html>", b"\n <HTML>"],
    "a ZIP": [b"PK\3\4"],
}
TGA = b"\0\0\2" + bytes(9) + b"\x10\0\x10\0\x18\0"
UNKNOWN = [b"", b"hello", b"<?xml version='1.0'?><rss>", b"RIFF\0\0\0\0WAVE", b"\xff\xd8", bytes(99), TGA]
HEIF_BRANDS = b"heic heix heim heis hevc hevx hevm hevs mif1 mif2 msf1 miaf avif avis".split()


def test_a_known_format_is_refused_by_name_and_an_unknown_one_without() -> None:
    only = "only JPEG, PNG, WEBP, BMP, HEIC and AVIF files are accepted"
    for name, examples in NAMED.items():
        for data in examples:
            assert refusal(recognise, data + bytes(100)).message == f"The image is {name} file; {only}"
    for data in UNKNOWN:
        assert refusal(recognise, data).message == "The image is not a JPEG, PNG, WEBP, BMP, HEIC or AVIF file"


def test_heic_and_avif_are_recognised_by_their_brand() -> None:
    assert {recognise(b"\0\0\0\x18ftyp" + brand) for brand in HEIF_BRANDS} == {"HEIF"}
