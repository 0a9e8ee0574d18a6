"""Damaged photos: small files of every format with bit errors, cuts, stray chunks, and headers with hostile numbers."""

from functools import cache
from typing import Literal

import PIL.Image
from hypothesis import strategies as st

from tests.imaging.heif import FILES as HEIC
from tests.imaging.pictures import encoded, exif, gradient

ORDERS: tuple[Literal["big", "little"], ...] = ("big", "little")
NUMBERS = [0, 1, 2, 3, 8, 127, 128, 255, 256, 4096, 32767, 32768, 65535, 65536, 2**24 - 1, 2**31 - 1, 2**31]
"""Values for lengths and sizes: too small, too large, and at the limits of integer types."""
PACKED = [(number % 256**size).to_bytes(size, order) for number in NUMBERS for size in (2, 4) for order in ORDERS]
CHUNK_NAMES = (
    *b"IHDR PLTE tRNS IDAT eXIf IEND acTL fcTL RIFF WEBP VP8X VP8L ALPH ANIM ANMF EXIF".split(),
    *b"ftyp meta pitm iloc iinf infe iref iprp ipco ipma ispe hvcC av1C irot imir clap auxC mdat moov".split(),
    b"VP8 ",
)


@cache
def sound_files() -> tuple[bytes, ...]:
    """Small files of every format and its variants."""
    image = PIL.Image.fromarray(gradient(40, 30))
    return (
        *HEIC.values(),
        encoded(image, "JPEG", quality=60, exif=exif(6)),
        encoded(image, "JPEG", progressive=True),
        encoded(image.convert("CMYK"), "JPEG"),
        encoded(image, "PNG", exif=exif(8)),
        encoded(image.quantize(16), "PNG", transparency=3),
        encoded(image.convert("I;16"), "PNG"),
        encoded(image.convert("LA"), "PNG"),
        encoded(image, "WEBP", exif=exif(3)),
        encoded(image.convert("RGBA"), "WEBP", lossless=True),
        encoded(image, "WEBP", save_all=True, append_images=[image.rotate(180)]),
        encoded(image, "AVIF", speed=10, exif=exif(6)),
        encoded(image.convert("RGBA"), "AVIF", speed=10, save_all=True, append_images=[image.convert("RGBA")]),
        encoded(image, "BMP"),
        encoded(image.quantize(16), "BMP"),
    )


def chunk_starts(data: bytes | bytearray) -> list[int]:
    """Offsets at which chunks, boxes and segments seem to begin, and both ends of the file."""
    names = [data.find(name) for name in CHUNK_NAMES]
    markers = [place for place in range(len(data) - 1) if data[place] == 0xFF and 0xC0 <= data[place + 1] <= 0xFE]
    return sorted({0, len(data), *markers, *(place + add for place in names if place >= 0 for add in (-4, 4, 8))})


@st.composite
def spoiled_files(draw: st.DrawFn) -> bytes:
    """A sound file after one to four edits that each replace, remove, insert or repeat a piece."""
    data = bytearray(draw(st.sampled_from(sound_files())))
    for _ in range(draw(st.integers(1, 4))):
        places = st.sampled_from(chunk_starts(data)) | st.integers(0, len(data))
        start, end = sorted(draw(st.tuples(places, places)))
        other = draw(st.sampled_from(sound_files()))
        pieces = [st.just(b""), st.binary(max_size=16), st.sampled_from(PACKED), st.just(bytes(data[start:end]) * 2)]
        piece = draw(st.one_of(*pieces, st.just(other[start : start + 100])))
        stop = draw(st.sampled_from([start, start + len(piece), end]))
        data[start:stop] = piece
    return bytes(data)
