"""Real photos, spoiled in the ways that files are: by bits, by pieces, and in the numbers of their headers."""

import io
import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import PIL.Image

from tests.imaging.heif import FILES as HEIC

NUMBERS = (0, 1, 2, 3, 7, 8, 9, 127, 128, 255, 256, 4096, 32767, 32768, 65535, 65536, 2**24 - 1, 2**31 - 1, 2**31)
"""What a length or a side of a photo is set to; less and more than there is, and where integers end."""
HEADER = 64
"""Bytes at the beginning in which PNG, WEBP and BMP have their sides and depths, and JPEG its first segments."""


def seeds(photos: Path, count: int = 3) -> list[bytes]:
    """HEIC files, and some people's first photos, at 48 pixels, in the other formats and the variants of each."""
    files = list(HEIC.values())
    for number, folder in enumerate(sorted(each for each in photos.iterdir() if each.is_dir())[:count]):
        image = PIL.Image.open(min(folder.glob("*.jpg"))).convert("RGB")
        image.thumbnail((48, 48))
        exif = PIL.Image.Exif()
        exif[0x0112] = 2 + number
        files += [
            _encoded(image, "JPEG", quality=60, exif=exif),
            _encoded(image, "JPEG", quality=60, progressive=True),
            _encoded(image.convert("CMYK"), "JPEG", quality=40),
            _encoded(image, "PNG", exif=exif),
            _encoded(image.quantize(16), "PNG", transparency=3),
            _encoded(image.convert("I;16"), "PNG"),
            _encoded(image.convert("LA"), "PNG"),
            _encoded(image, "WEBP", quality=50, exif=exif),
            _encoded(image.convert("RGBA"), "WEBP", lossless=True),
            _encoded(image, "WEBP", save_all=True, append_images=[image.rotate(90)], duration=100),
            _encoded(image, "AVIF", speed=10, exif=exif),
            _encoded(image.convert("RGBA"), "AVIF", speed=10, save_all=True, append_images=[image.convert("RGBA")]),
            _encoded(image, "BMP"),
            _encoded(image.quantize(16), "BMP"),
        ]
    return files


def _encoded(image: PIL.Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def mutants(files: list[bytes], seed: int) -> Iterator[bytes]:
    """Endless spoiled `files`, the same ones for the same `seed`, each with one to four wounds."""
    rng = random.Random(seed)
    while True:
        data = bytearray(rng.choice(files))
        for _ in range(rng.choice((1, 1, 2, 4))):
            if data:
                rng.choice(MUTATIONS)(rng, data, files)
        yield bytes(data)


Mutation = Callable[[random.Random, bytearray, list[bytes]], None]
"""Spoils the data in place; the files are where it may take pieces from."""


def flip_bits(rng: random.Random, data: bytearray, files: list[bytes]) -> None:
    for _ in range(rng.randint(1, 8)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def write_run(rng: random.Random, data: bytearray, files: list[bytes]) -> None:
    start, stop = _range(rng, data)
    data[start:stop] = rng.choice((bytes(stop - start), b"\xff" * (stop - start), rng.randbytes(stop - start)))


def write_number(rng: random.Random, data: bytearray, files: list[bytes]) -> None:
    """Put a number into the header, in one of the ways in which the formats write numbers."""
    form = rng.choice((">H", "<H", ">I", "<I"))
    room = min(len(data), HEADER) - struct.calcsize(form)
    if room >= 0:
        struct.pack_into(form, data, rng.randint(0, room), rng.choice(NUMBERS) % 256 ** struct.calcsize(form))


def write_chunk_number(rng: random.Random, data: bytearray, files: list[bytes]) -> None:
    """The same behind a marker or a chunk's name, wherever it stands: lengths, JPEG's sides, palettes."""
    start = rng.choice(boundaries(data) or [0])
    form = rng.choice((">H", "<H", ">I", "<I"))
    place = start + rng.randint(-4, 12)
    if 0 <= place <= len(data) - struct.calcsize(form):
        struct.pack_into(form, data, place, rng.choice(NUMBERS) % 256 ** struct.calcsize(form))


def drop_chunk(rng: random.Random, data: bytearray, files: list[bytes]) -> None:
    start, stop = _chunk(rng, data)
    del data[start:stop]


def double_chunk(rng: random.Random, data: bytearray, files: list[bytes]) -> None:
    start, stop = _chunk(rng, data)
    data[start:start] = data[start:stop]


def take_chunk(rng: random.Random, data: bytearray, files: list[bytes]) -> None:
    """Put a chunk of another file where one begins."""
    other = bytearray(rng.choice(files))
    start, stop = _chunk(rng, other)
    place = rng.choice(boundaries(data) or [0])
    data[place:place] = other[start:stop]


def go_on_with_another(rng: random.Random, data: bytearray, files: list[bytes]) -> None:
    other = rng.choice(files)
    data[rng.randrange(len(data)) :] = other[rng.randrange(len(other)) :]


def truncate(rng: random.Random, data: bytearray, files: list[bytes]) -> None:
    del data[rng.randrange(len(data)) :]


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits,
    write_run,
    write_number,
    write_chunk_number,
    drop_chunk,
    double_chunk,
    take_chunk,
    go_on_with_another,
    truncate,
)

CHUNK_NAMES = (
    *b"IHDR PLTE tRNS IDAT eXIf IEND acTL fcTL RIFF WEBP VP8X VP8L ALPH ANIM ANMF EXIF".split(),
    *b"ftyp meta pitm iloc iinf infe iref iprp ipco ipma ispe hvcC av1C irot imir clap auxC mdat moov".split(),
    b"VP8 ",
)


def boundaries(data: bytearray) -> list[int]:
    """Where chunks of PNG and WEBP, boxes of HEIC and AVIF, and segments of JPEG, seem to begin."""
    named = [data.find(name) for name in CHUNK_NAMES]
    markers = [place for place in range(len(data) - 1) if data[place] == 0xFF and 0xC0 <= data[place + 1] <= 0xFE]
    return sorted({place for place in named if place >= 0} | set(markers))


def _chunk(rng: random.Random, data: bytearray) -> tuple[int, int]:
    places = [*boundaries(data), len(data)]
    number = rng.randrange(len(places))
    start = places[number - 1] if number else 0
    return start, places[number]


def _range(rng: random.Random, data: bytearray) -> tuple[int, int]:
    start = rng.randrange(len(data))
    return start, min(len(data), start + rng.randint(1, 32))
