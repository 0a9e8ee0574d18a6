"""Damaged photos: small files of every format with bit errors, cuts, stray chunks, and headers with hostile numbers."""

import struct
from functools import cache

import PIL.Image
from hypothesis import strategies as st

from tests.imaging.heif import FILES as HEIC
from tests.imaging.pictures import encoded, exif, gradient

NUMBERS = (0, 1, 2, 3, 7, 8, 9, 127, 128, 255, 256, 4096, 32767, 32768, 65535, 65536, 2**24 - 1, 2**31 - 1, 2**31)
"""Values for lengths and sizes: too small, too large, and at the limits of integer types."""
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
    return sorted({0, len(data), *markers, *(place for place in names if place >= 0)})


@st.composite
def spoiled_files(draw: st.DrawFn) -> bytes:
    """A sound file after one to four edits."""
    data = bytearray(draw(st.sampled_from(sound_files())))
    for _ in range(draw(st.integers(1, 4))):
        starts = chunk_starts(data)
        start = draw(st.one_of(st.sampled_from(starts), st.integers(0, len(data))))
        stop = draw(st.sampled_from([start, start + 1, min(s for s in [*starts, len(data)] if s >= start), len(data)]))
        match draw(st.sampled_from(["flip", "write", "number", "remove", "repeat", "insert"])):
            case "flip" if start < len(data):
                data[start] ^= 1 << draw(st.integers(0, 7))
            case "write":
                data[start:stop] = draw(st.binary(max_size=32))
            case "number":
                form = draw(st.sampled_from([">H", "<H", ">I", "<I"]))
                place, size = start + draw(st.integers(-4, 12)), struct.calcsize(form)
                if 0 <= place <= len(data) - size:
                    struct.pack_into(form, data, place, draw(st.sampled_from(NUMBERS)) % 256**size)
            case "remove":
                del data[start:stop]
            case "repeat":
                data[start:start] = data[start:stop]
            case "insert":
                other = draw(st.sampled_from(sound_files()))
                first, last = sorted(draw(st.tuples(*[st.sampled_from(chunk_starts(other))] * 2)))
                data[start:start] = other[first:last]
    return bytes(data)
