"""Files that are not photos, or that attack the decode gate, are refused, and take little work and memory."""

import struct
import subprocess
import sys
import zlib
from pathlib import Path

from imaging.decode import Limits
from imaging.formats import recognise
from project.root import ROOT
from tests.imaging.pictures import Chunk, encoded, flat, noise, outcome, png, refusal

# getrusage would report the memory of the parent process.
MEASURE = """
import re, sys, time
from imaging.decode import Limits, decode
from project.request_error import RequestError
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
decode(open(sys.argv[1], "rb").read(), Limits())
memory, seconds = peak(), time.process_time()
for path in sys.argv[2:]:
    try:
        decode(open(path, "rb").read(), Limits())
    except RequestError as refused:
        print(refused.code, file=sys.stderr)
print(peak() - memory, time.process_time() - seconds)
"""


def measured(folder: Path, *files: bytes) -> tuple[float, float, list[str]]:
    """Decode `files` in turn in another process. Returns its peak memory in MiB, CPU seconds, and codes and log."""
    paths = [folder / str(number) for number in range(len(files) + 1)]
    for path, data in zip(paths, (flat("PNG"), *files), strict=True):
        path.write_bytes(data)
    command = [sys.executable, "-c", MEASURE, *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    memory, seconds = map(float, done.stdout.split())
    return memory, seconds, done.stderr.splitlines()


def patched(data: bytes, place: int, form: str, *numbers: int) -> bytes:
    """`data` with other numbers at `place`."""
    piece = struct.pack(form, *numbers)
    return data[:place] + piece + data[place + len(piece) :]


def png_with(chunk: Chunk, count: int) -> bytes:
    """A small PNG with one chunk `count` times."""
    return png(10, 10, 8, 2, *[chunk] * count, (b"IDAT", zlib.compress(bytes(310))))


def jpeg_with(segment: bytes, count: int) -> bytes:
    """A small JPEG that begins with one segment `count` times."""
    return JPEG[:2] + segment * count + JPEG[2:]


def jpeg_scans(side: int, count: int, hidden: bytes = b"") -> bytes:
    """A progressive JPEG whose last scan is repeated `count` times, each preceded by `hidden`."""
    data = flat("JPEG", side, side, "L", progressive=True)
    return data[:-2] + (hidden + data[data.rindex(b"\xff\xda") : -2]) * count + data[-2:]


JPEG, BMP = flat("JPEG"), flat("BMP")
JPEG_SIZE = JPEG.index(b"\xff\xc0") + 5
"""Where a JPEG's height and width are."""


def test_bombs_are_refused_with_little_work_and_memory(tmp_path: Path) -> None:
    """Without the gate they take hours and gigabytes."""
    hidden_end = b"\xff\xfe\x00\x06\xff\xd9\xff\xd9"
    large = {
        "PNG that claims 50000x50000": png(50_000, 50_000, 8, 2, (b"IDAT", b"")),
        "PNG of 49 megapixels": flat("PNG", 7000, 7000, "1"),
        "PNG of 1x49999999": png(1, 49_999_999, 8, 2, (b"IDAT", b"")),
        "JPEG that claims 65000x65000": patched(JPEG, JPEG_SIZE, ">HH", 65_000, 65_000),
        "progressive JPEG of 49 megapixels": flat("JPEG", 7000, 7000, "L", progressive=True),
        "WEBP of 25 megapixels in a kilobyte": flat("WEBP", 5000, 5000, lossless=True, method=0),
        "BMP that claims 50000x50000": patched(BMP, 18, "<ii", 50_000, 50_000),
        "BMP of negative width": patched(BMP, 18, "<i", -100),
        "more bytes than are accepted": JPEG + bytes(11_000_000),
    }
    complex = {
        "JPEG of a thousand scans": jpeg_scans(1000, 1000),
        "JPEG of twenty scans of 25 megapixels": jpeg_scans(5000, 14),
        "JPEG that hides its scans behind an end in a comment": jpeg_scans(1000, 1000, hidden_end),
        "JPEG of a million comments": jpeg_with(b"\xff\xfe\0\2", 1_000_000),
        "JPEG of a million beginnings": jpeg_with(b"\xff\xd8", 1_000_000),
        "PNG of 9000 profiles of a megabyte": png_with((b"iCCP", b"a\0\0" + zlib.compress(bytes(1_000_000))), 9000),
        "PNG of 600000 texts": png_with((b"tEXt", b"a\0b"), 600_000),
        "PNG of 600000 pieces of pixels": png_with((b"IDAT", b""), 600_000),
    }
    memory, seconds, said = measured(tmp_path, *large.values(), *complex.values())
    expected = dict.fromkeys(large, "IMAGE_TOO_LARGE") | dict.fromkeys(complex, "IMAGE_TOO_COMPLEX")
    assert dict(zip(expected, said, strict=True)) == expected
    assert memory < 50
    assert seconds < 10


def test_a_file_that_is_no_photo_is_refused() -> None:
    runs = patched(flat("BMP", mode="L"), 30, "<I", 1)[:1078]
    files = {
        "nothing": b"",
        "JPEG of stray bytes": jpeg_with(b"\0", 10_000_000),
        "JPEG of restarts": jpeg_with(b"\xff\xd0", 5_000_000),
        "JPEG of no height": patched(JPEG, JPEG_SIZE, ">H", 0),
        "JPEG of 1x51": flat("JPEG", 1, 51),
        "PNG of 51x1": flat("PNG", 51, 1),
        "BMP that is run-length encoded": runs + b"\0\2\xff\xff" * 3 + b"\0\1",
        "BMP whose pixels begin beyond its end": patched(BMP, 10, "<I", 2**31),
        "BMP without pixels": BMP[:54],
    }
    for name, data in files.items():
        refused = outcome(data)
        assert refused.startswith("INVALID_IMAGE: "), name
        assert len(refused) < 200, name


def test_limits_are_inclusive_and_checked_before_decoding() -> None:
    data = encoded(noise(9, 8))
    assert outcome(data, Limits(max_bytes=len(data), max_pixels=72)) == "9x8"
    too_long = f"IMAGE_TOO_LARGE: The image exceeds the limit of {len(data) - 1} bytes"
    assert outcome(data, Limits(max_bytes=len(data) - 1)) == too_long
    too_large = "IMAGE_TOO_LARGE: The image has 9x8 pixels; the maximum is 71"
    assert outcome(png(9, 8, 8, 2, (b"IDAT", b"nothing to decode")), Limits(max_pixels=71)) == too_large
    assert outcome(flat("PNG", 50, 1)) == "50x1"


def test_the_largest_accepted_photos_take_bounded_memory(tmp_path: Path) -> None:
    memory, _, said = measured(
        tmp_path,
        flat("PNG", 5000, 5000, "RGBA", compress_level=1),
        flat("WEBP", 3500, 3500, "RGBA", lossless=True, method=0),
        flat("JPEG", 5000, 4400, "CMYK", progressive=True),
        flat("JPEG", 7000, 7000),
        flat("AVIF", 5000, 5000, speed=10, subsampling="4:4:4"),
        flat("AVIF", 3800, 3900, "RGBA", speed=10, subsampling="4:4:4"),
        patched(flat("BMP", 5000, 1000, "L"), 22, "<i", 5000),
    )
    assert 50 < memory < 450
    assert said == ["INVALID_IMAGE"], "only the BMP lacks pixels"


def test_metadata_is_neither_decompressed_nor_logged(tmp_path: Path) -> None:
    entries = b"".join(struct.pack("<HHII", tag, 7, 0x10000, 0xFFFFFF) for tag in range(600, 3000))
    broken_tags = flat("JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2400) + entries)
    bomb = b"a\0\0" + zlib.compress(bytes(900_000))
    memory, _, said = measured(tmp_path, png_with((b"zTXt", bomb), 100), png_with((b"iCCP", bomb), 100), broken_tags)
    assert memory < 20
    assert said == []


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
