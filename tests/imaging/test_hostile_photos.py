"""What strangers send as photos: refused with a stable code, for little work and little memory."""

import subprocess
import sys
from pathlib import Path

import pytest

from imaging import decode as gate
from imaging.decode import Limits, decode
from imaging.refused import Refused
from tests.imaging import hostile

PROJECT = Path(__file__).resolve().parents[2]
MOST_MEMORY_MB = 450

CASES = [
    pytest.param(data, code, id=name)
    for code, files in (
        ("IMAGE_TOO_LARGE", hostile.too_large()),
        ("IMAGE_TOO_COMPLEX", hostile.too_complex()),
        ("INVALID_IMAGE", hostile.invalid()),
    )
    for name, data in files.items()
]

# What getrusage says of memory is inherited from the process that started this one.
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


def measured(folder: Path, *files: bytes) -> tuple[float, float, str]:
    """MiB that decoding `files` one after the other takes at most, the seconds of work, and what is said meanwhile."""
    paths = [folder / str(number) for number in range(len(files) + 1)]
    for path, data in zip(paths, (hostile.encoded("PNG"), *files), strict=True):
        path.write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *map(str, paths)], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    memory, seconds = map(float, done.stdout.split())
    return memory, seconds, done.stderr


@pytest.mark.parametrize(("data", "code"), CASES)
def test_it_is_refused_with_its_code(data: bytes, code: str) -> None:
    with pytest.raises(Refused) as caught:
        decode(data, Limits())
    assert caught.value.code == code
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in hostile.cut()])
def test_a_file_that_ends_too_early_is_refused(data: bytes) -> None:
    with pytest.raises(Refused) as caught:
        decode(data, Limits())
    assert caught.value.code == "INVALID_IMAGE"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "AVIF"])
def test_a_photo_with_a_stowaway_behind_it_is_that_photo(kind: str) -> None:
    data = hostile.encoded(kind) + b"PK\x03\x04<script>" + b"\xff\xda" * 5000
    assert decode(data, Limits()).pixels.shape == (300, 300, 3)


def test_the_largest_photos_that_are_let_in_take_bounded_memory(tmp_path: Path) -> None:
    memory, _, said = measured(
        tmp_path,
        hostile.png_bomb(5000, 5000, channels=4),
        hostile.encoded("WEBP", 3500, 3500, "RGBA", lossless=True, method=0),
        hostile.encoded("JPEG", 5000, 4400, "CMYK", progressive=True),
        hostile.encoded("JPEG", 7000, 7000),
        hostile.encoded("AVIF", 5000, 5000, speed=10, subsampling="4:4:4"),
        hostile.encoded("AVIF", 3800, 3900, "RGBA", speed=10, subsampling="4:4:4"),
        hostile.bmp(5000, 5000, 8, body=bytes(25_000_000 // 5)) + bytes(4),
    )
    assert 50 < memory < MOST_MEMORY_MB
    assert said.split() == ["INVALID_IMAGE"], "all but the BMP, which lacks pixels, are decoded"


def test_what_is_refused_takes_next_to_nothing(tmp_path: Path) -> None:
    """All of it together: hours and gigabytes without the gate."""
    files = {**hostile.too_large(), **hostile.too_complex()}
    memory, seconds, said = measured(tmp_path, *files.values())
    assert len(said.split()) == len(files)
    assert memory < 50
    assert seconds < 10


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
def test_what_a_text_or_a_profile_unpacks_to_is_never_unpacked(kind: bytes, tmp_path: Path) -> None:
    memory, _, said = measured(tmp_path, hostile.png_with((kind, b"a\0\0" + hostile.zeros(900_000)), 100))
    assert memory < 20
    assert said == "", "a photo like any other"


def test_broken_tags_are_not_a_line_of_the_log_each(tmp_path: Path) -> None:
    entries = b"".join(tag.to_bytes(2, "little") + b"\7\0\0\0\1\0\xff\xff\xff\0" for tag in range(600, 3000))
    tags = b"Exif\0\0II*\0\x08\0\0\0" + (2400).to_bytes(2, "little") + entries
    _, _, said = measured(tmp_path, hostile.encoded("JPEG", exif=tags))
    assert said == ""


@pytest.mark.parametrize(("mode", "width", "height"), [("RGB", 3000, 1700), ("RGBA", 1700, 3000), ("I;16", 3000, 1500)])
def test_a_photo_in_bands_looks_as_it_does_in_one(
    mode: str, width: int, height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    gradient = hostile.gradient(width, height, mode)
    in_bands = decode(gradient, Limits())
    monkeypatch.setattr(gate, "_BAND", 10**9)
    in_one = decode(gradient, Limits())
    assert in_bands.pixels.shape == in_one.pixels.shape
    assert abs(in_bands.pixels.astype(int) - in_one.pixels).max() <= 1
