"""The decode gate: what it lets in, what it refuses, and what the pixels look like afterwards."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from imaging.decode import Decoded, Limits, decode
from imaging.refused import Refused
from tests.imaging.heif import FILES as HEIC
from tests.imaging.hostile import png

Pixels = NDArray[np.uint8]

ORIENTATION = 0x0112
# How each EXIF orientation stores a photo that is shown upright (CIPA DC-008, "Orientation").
STORED: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}


def encoded(image: PIL.Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def noise(width: int, height: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def gradient(width: int, height: int) -> PIL.Image.Image:
    """A picture that survives lossy formats."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return PIL.Image.fromarray(np.dstack([x, y, 255 - x]).astype(np.uint8))


def exif(orientation: int) -> PIL.Image.Exif:
    tags = PIL.Image.Exif()
    tags[ORIENTATION] = orientation
    return tags


def refused(data: bytes, limits: Limits | None = None) -> Refused:
    with pytest.raises(Refused) as caught:
        decode(data, limits or Limits())
    return caught.value


@pytest.mark.parametrize("kind", ["PNG", "BMP"])
def test_a_lossless_file_gives_its_pixels_exactly(kind: str) -> None:
    pixels = noise(7, 5)
    assert np.array_equal(decode(encoded(PIL.Image.fromarray(pixels), kind), Limits()).pixels, pixels)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF"])
def test_a_lossy_file_gives_its_pixels_nearly(kind: str) -> None:
    image = gradient(64, 48)
    photo = decode(encoded(image, kind, quality=95), Limits())
    assert photo.pixels.shape == (48, 64, 3)
    assert np.abs(photo.pixels.astype(int) - np.asarray(image)).mean() < 3


def test_a_real_photo_is_decoded_as_pillow_does_it(sample_photos: Path) -> None:
    path = sorted(sample_photos.glob("*/*.jpg"))[0]
    expected = np.asarray(PIL.Image.open(path).convert("RGB"))
    photo = decode(path.read_bytes(), Limits(max_dimension=10_000))
    assert np.array_equal(photo.pixels, expected)
    assert (photo.height, photo.width, photo.scale) == (*expected.shape[:2], 1.0)


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "PPM", "ICO", "PDF"])
def test_other_formats_are_refused(kind: str) -> None:
    refusal = refused(encoded(PIL.Image.fromarray(noise(16, 16)), kind))
    assert refusal.code == "INVALID_IMAGE"
    assert "JPEG, PNG, WEBP, BMP, HEIC" in refusal.message


@pytest.mark.parametrize("data", [b"GIF89a", b"<svg/>", b"\xff\xd8\xff", b"BM", b"\x89PNG\r\n\x1a\n", b"RIFF", b"\0"])
def test_bytes_that_are_no_photo_are_refused(data: bytes) -> None:
    assert refused(data).code == "INVALID_IMAGE"


def test_an_empty_file_is_refused() -> None:
    assert str(refused(b"")) == "INVALID_IMAGE: The image is empty"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "AVIF"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.95])
def test_a_truncated_file_is_refused(kind: str, share: float) -> None:
    whole = encoded(PIL.Image.fromarray(noise(60, 40)), kind)
    assert refused(whole[: int(len(whole) * share)]).code == "INVALID_IMAGE"


def test_a_truncated_real_photo_is_refused(sample_photos: Path) -> None:
    whole = sorted(sample_photos.glob("*/*.jpg"))[0].read_bytes()
    assert refused(whole[: len(whole) * 3 // 4]).message == "The image is damaged and cannot be decoded"


def test_the_byte_limit_lets_in_exactly_that_many() -> None:
    data = encoded(PIL.Image.fromarray(noise(9, 9)))
    assert decode(data, Limits(max_bytes=len(data))).width == 9
    refusal = refused(data, Limits(max_bytes=len(data) - 1))
    assert refusal.code == "IMAGE_TOO_LARGE"
    assert str(len(data)) in refusal.message


def test_the_pixel_limit_lets_in_exactly_that_many() -> None:
    data = encoded(PIL.Image.fromarray(noise(9, 8)))
    assert decode(data, Limits(max_pixels=72)).height == 8
    assert refused(data, Limits(max_pixels=71)).code == "IMAGE_TOO_LARGE"


def test_the_pixel_limit_is_checked_before_decoding() -> None:
    # There is nothing to decode in this file: had it been tried, the answer would be INVALID_IMAGE.
    refusal = refused(png(50_000, 50_000, 8, 2, (b"IDAT", b"")))
    assert refusal.code == "IMAGE_TOO_LARGE"
    assert "50000x50000" in refusal.message


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "AVIF"])
@pytest.mark.parametrize(("width", "height", "out"), [(400, 300, (75, 100)), (150, 200, (100, 75)), (101, 3, (3, 100))])
def test_large_photos_are_scaled_down_to_the_limit(kind: str, width: int, height: int, out: tuple[int, int]) -> None:
    photo = decode(encoded(gradient(width, height), kind), Limits(max_dimension=100))
    assert photo.pixels.shape == (*out, 3)
    assert (photo.width, photo.height) == (width, height)
    assert photo.scale == pytest.approx(100 / max(width, height))


def test_small_photos_are_not_enlarged() -> None:
    photo = decode(encoded(gradient(99, 100)), Limits(max_dimension=100))
    assert photo.pixels.shape == (100, 99, 3)
    assert photo.scale == 1


@pytest.mark.parametrize("longest", [1000, 999, 600, 500, 499, 130, 125, 3])
def test_a_jpeg_decoded_at_part_of_its_size_looks_like_the_whole_scaled_down(longest: int) -> None:
    image = gradient(1000, 700)
    photo = decode(encoded(image, "JPEG", quality=95), Limits(max_dimension=longest))
    height = round(700 * longest / 1000)
    assert photo.pixels.shape == (height, longest, 3)
    assert (photo.width, photo.height) == (1000, 700)
    expected = np.asarray(image.resize((longest, height), PIL.Image.Resampling.BOX)).astype(int)
    assert np.abs(photo.pixels - expected).mean() < 4


@pytest.mark.parametrize("orientation", STORED)
def test_an_orientation_is_applied(orientation: int) -> None:
    upright = noise(6, 4)
    stored = PIL.Image.fromarray(np.ascontiguousarray(STORED[orientation](upright)))
    photo = decode(encoded(stored, exif=exif(orientation)), Limits())
    assert np.array_equal(photo.pixels, upright)
    assert (photo.width, photo.height) == (6, 4)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_width_and_height_are_reported_upright_and_unscaled(kind: str) -> None:
    photo = decode(encoded(gradient(400, 300), kind, exif=exif(6)), Limits(max_dimension=100))
    assert (photo.width, photo.height) == (300, 400)
    assert photo.pixels.shape == (100, 75, 3)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_means_nothing_is_ignored(orientation: int) -> None:
    pixels = noise(6, 4)
    photo = decode(encoded(PIL.Image.fromarray(pixels), exif=exif(orientation)), Limits())
    assert np.array_equal(photo.pixels, pixels)


XMP_TURN = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("tags", [None, exif(1), exif(6)], ids=["no EXIF", "upright", "turned"])
def test_only_exif_turns_a_photo(kind: str, tags: PIL.Image.Exif | None) -> None:
    """Browsers ignore XMP's orientation."""
    options: dict[str, Any] = {"exif": tags} if tags else {}
    if kind == "PNG":
        options["pnginfo"] = PIL.PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP_TURN.decode())
    else:
        options["xmp"] = XMP_TURN
    photo = decode(encoded(gradient(40, 30), kind, **options), Limits())
    assert (photo.width, photo.height) == ((30, 40) if tags and tags[ORIENTATION] == 6 else (40, 30))


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_of_exif_are_read(order: str) -> None:
    tags = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "HIHHHIHHI", 42, 8, 1, ORIENTATION, 3, 1, 6, 0, 0)
    photo = decode(encoded(gradient(40, 30), "JPEG", exif=b"Exif\0\0" + tags), Limits())
    assert (photo.width, photo.height) == (30, 40)


def test_exif_behind_the_pixels_of_a_png_file_is_read() -> None:
    pixels = (b"IDAT", zlib.compress(bytes(2 * 4)))
    photo = decode(png(3, 2, 8, 0, pixels, (b"eXIf", exif(6).tobytes())), Limits())
    assert (photo.width, photo.height) == (2, 3)


def test_broken_metadata_does_not_spoil_a_photo() -> None:
    photo = decode(encoded(gradient(40, 30), "JPEG", exif=b"Exif\0\0nonsense"), Limits())
    assert photo.pixels.shape == (30, 40, 3)


def test_grey_becomes_rgb() -> None:
    grey = noise(5, 4)[..., 0]
    photo = decode(encoded(PIL.Image.fromarray(grey)), Limits())
    assert np.array_equal(photo.pixels, np.dstack([grey, grey, grey]))


def test_black_and_white_becomes_rgb() -> None:
    photo = decode(encoded(PIL.Image.new("1", (3, 2), 1)), Limits())
    assert photo.pixels.shape == (2, 3, 3)
    assert (photo.pixels == 255).all()


def test_a_palette_becomes_rgb() -> None:
    image = PIL.Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putdata([1, 0])
    assert decode(encoded(image), Limits()).pixels.tolist() == [[[40, 50, 60], [10, 20, 30]]]


def test_cmyk_becomes_rgb() -> None:
    image = PIL.Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    red, green, blue = decode(encoded(image, "JPEG", quality=100), Limits()).pixels[8, 8].tolist()
    assert red > 240
    assert max(green, blue) < 16


def test_sixteen_bit_grey_keeps_its_upper_byte() -> None:
    grey = np.array([[0x0000, 0x00FF, 0x0100, 0x1234, 0x80FF, 0xFFFF]], dtype=np.uint16)
    photo = decode(encoded(PIL.Image.fromarray(grey)), Limits())
    assert photo.pixels[0, :, 0].tolist() == [0x00, 0x00, 0x01, 0x12, 0x80, 0xFF]
    assert (photo.pixels == photo.pixels[..., :1]).all()


def transparent_palette() -> bytes:
    image = PIL.Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putdata([0, 1])
    return encoded(image, transparency=0)


def transparent_sixteen_bit() -> bytes:
    rows = zlib.compress(b"\0" + struct.pack(">2H", 0x1234, 0x2832))
    return png(2, 1, 16, 0, (b"tRNS", struct.pack(">H", 0x1234)), (b"IDAT", rows))


@pytest.mark.parametrize(
    ("data", "opaque"),
    [
        (encoded(PIL.Image.fromarray(np.array([[[9, 9, 9, 0], [40, 50, 60, 255]]], np.uint8))), [40, 50, 60]),
        (encoded(PIL.Image.fromarray(np.array([[[9, 0], [40, 255]]], np.uint8))), [40, 40, 40]),
        (transparent_palette(), [40, 50, 60]),
        (transparent_sixteen_bit(), [40, 40, 40]),
    ],
    ids=["rgba", "grey and alpha", "palette", "sixteen-bit grey"],
)
def test_transparency_lies_over_white(data: bytes, opaque: list[int]) -> None:
    assert decode(data, Limits()).pixels.tolist() == [[[255, 255, 255], opaque]]


def test_half_transparency_is_mixed_with_white() -> None:
    image = PIL.Image.new("RGBA", (1, 1), (0, 100, 255, 51))
    assert decode(encoded(image), Limits()).pixels.tolist() == [[[204, 224, 255]]]


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_the_first_picture_of_an_animation_counts(kind: str) -> None:
    red, blue = (PIL.Image.new("RGB", (16, 16), colour) for colour in ("red", "blue"))
    data = encoded(red, kind, save_all=True, append_images=[blue], lossless=True)
    assert decode(data, Limits()).pixels[8, 8].tolist() == [255, 0, 0]


def seeds() -> list[bytes]:
    """Small files of every format, for the fuzzer to spoil."""
    image = gradient(40, 30)
    return [
        encoded(image, "JPEG", exif=exif(6)),
        encoded(image, "JPEG", progressive=True),
        encoded(image, "PNG", exif=exif(8)),
        encoded(image.convert("P"), "PNG", transparency=3),
        encoded(image.convert("LA"), "PNG"),
        encoded(image, "WEBP", exif=exif(3)),
        encoded(image.convert("RGBA"), "WEBP", lossless=True),
        encoded(image, "AVIF", exif=exif(6)),
        *HEIC.values(),
        encoded(image, "BMP"),
        encoded(image.convert("P"), "BMP"),
    ]


SEEDS = seeds()
EDITS = st.lists(
    st.tuples(st.integers(0, 3000), st.sampled_from(["set", "cut", "put"]), st.binary(min_size=1, max_size=8)),
    min_size=1,
    max_size=8,
)


@given(seed=st.sampled_from(SEEDS), edits=EDITS)
def test_a_damaged_file_is_decoded_or_refused_and_nothing_else(
    seed: bytes, edits: list[tuple[int, str, bytes]]
) -> None:
    data = bytearray(seed)
    for place, kind, piece in edits:
        start = place % max(len(data), 1)
        stop = start if kind == "put" else start + len(piece)
        data[start:stop] = b"" if kind == "cut" else piece
    answer: Decoded | Refused
    try:
        answer = decode(bytes(data), Limits(max_dimension=32, max_pixels=100_000))
    except Refused as refusal:
        answer = refusal
    if isinstance(answer, Refused):
        assert answer.code in ("INVALID_IMAGE", "IMAGE_TOO_LARGE", "IMAGE_TOO_COMPLEX")
    else:
        height, width, channels = answer.pixels.shape
        assert answer.pixels.dtype == np.uint8
        assert min(height, width) >= 1
        assert max(height, width) <= 32
        assert channels == 3
        assert 0 < answer.scale <= 1


def test_a_real_photo_cut_anywhere_is_refused(sample_photos: Path) -> None:
    whole = min(sample_photos.glob("*/*.jpg"), key=lambda path: path.stat().st_size).read_bytes()
    codes = {refused(whole[:length]).code for length in range(1, len(whole) - 2, len(whole) // 40)}
    assert codes == {"INVALID_IMAGE"}
