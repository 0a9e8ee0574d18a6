"""Files that attack the decode gate are refused, and take little work and memory."""

import subprocess
import sys
from pathlib import Path

import pytest

from imaging.decode import Limits
from tests.imaging.hostile import bmp, bombs, flat, invalid, png_bomb, png_with, zeros
from tests.imaging.pictures import encoded, noise, outcome, png

PROJECT = Path(__file__).resolve().parents[2]
INVALID = invalid()
# getrusage would report the memory of the parent process.
MEASURE = """
import re, sys, time
from imaging.decode import Limits, decode
from imaging.refused import Refused
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
decode(open(sys.argv[1], "rb").read(), Limits())
memory, seconds = peak(), time.process_time()
for path in sys.argv[2:]:
    try:
        decode(open(path, "rb").read(), Limits())
    except Refused as refused:
        print(refused.code, file=sys.stderr)
print(peak() - memory, time.process_time() - seconds)
"""


def measured(folder: Path, *files: bytes) -> tuple[float, float, list[str]]:
    """Decode `files` in turn in another process. Returns its peak memory in MiB, CPU seconds, and codes and log."""
    paths = [folder / str(number) for number in range(len(files) + 1)]
    for path, data in zip(paths, (flat("PNG"), *files), strict=True):
        path.write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *map(str, paths)], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    memory, seconds = map(float, done.stdout.split())
    return memory, seconds, done.stderr.splitlines()


def test_bombs_are_refused_with_little_work_and_memory(tmp_path: Path) -> None:
    """Without the gate they take hours and gigabytes."""
    named = {name: (code, data) for code, files in bombs().items() for name, data in files.items()}
    memory, seconds, said = measured(tmp_path, *(data for _, data in named.values()))
    assert dict(zip(named, said, strict=True)) == {name: code for name, (code, _) in named.items()}
    assert memory < 50
    assert seconds < 10


@pytest.mark.parametrize("name", INVALID)
def test_a_file_that_is_no_photo_is_refused(name: str) -> None:
    refused = outcome(INVALID[name])
    assert refused.startswith("INVALID_IMAGE: ")
    assert len(refused) < 200


def test_limits_are_inclusive_and_checked_before_decoding() -> None:
    data = encoded(noise(9, 8))
    assert outcome(data, Limits(max_bytes=len(data), max_pixels=72)) == "9x8"
    too_long = f"IMAGE_TOO_LARGE: The image has {len(data)} bytes; at most {len(data) - 1} are accepted"
    assert outcome(data, Limits(max_bytes=len(data) - 1)) == too_long
    too_large = "IMAGE_TOO_LARGE: The image has 9x8 pixels; at most 71 are accepted"
    assert outcome(png(9, 8, 8, 2, (b"IDAT", b"nothing to decode")), Limits(max_pixels=71)) == too_large
    assert outcome(png_bomb(50, 1)) == "50x1"


def test_the_largest_accepted_photos_take_bounded_memory(tmp_path: Path) -> None:
    memory, _, said = measured(
        tmp_path,
        png_bomb(5000, 5000, channels=4),
        flat("WEBP", 3500, 3500, "RGBA", lossless=True, method=0),
        flat("JPEG", 5000, 4400, "CMYK", progressive=True),
        flat("JPEG", 7000, 7000),
        flat("AVIF", 5000, 5000, speed=10, subsampling="4:4:4"),
        flat("AVIF", 3800, 3900, "RGBA", speed=10, subsampling="4:4:4"),
        bmp(5000, 5000, 8, body=bytes(25_000_000 // 5)) + bytes(4),
    )
    assert 50 < memory < 450
    assert said == ["INVALID_IMAGE"], "only the BMP lacks pixels"


def test_metadata_is_neither_decompressed_nor_logged(tmp_path: Path) -> None:
    entries = b"".join(tag.to_bytes(2, "little") + b"\7\0\0\0\1\0\xff\xff\xff\0" for tag in range(600, 3000))
    broken_tags = b"Exif\0\0II*\0\x08\0\0\0" + (2400).to_bytes(2, "little") + entries
    bomb = b"a\0\0" + zeros(900_000)
    files = (png_with((b"zTXt", bomb), 100), png_with((b"iCCP", bomb), 100), flat("JPEG", exif=broken_tags))
    memory, _, said = measured(tmp_path, *files)
    assert memory < 20
    assert said == []
