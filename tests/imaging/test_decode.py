"""The pixels that the decode gate makes of good files."""

import zlib
from typing import Any

import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from imaging import decode as gate
from imaging import sixteen_bit
from imaging.decode import Limits, decode
from imaging.encode import encode_png
from imaging.faces import Pixels
from tests.imaging.pictures import ORIENTATION_TAG, Chunk, difference, encoded, exif, gradient, noise, outcome, png

LOSSLESS: dict[str, dict[str, Any]] = {"PNG": {}, "BMP": {}, "WEBP": {"lossless": True}}
# How each EXIF orientation stores an upright photo (CIPA DC-008, "Orientation").
STORED = {
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}
XMP_TURN = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)
TEN_TO_SIXTY = [10, 20, 30, 40, 50, 60]


def image(mode: str, *pixels: Any, palette: list[int] | None = None) -> PIL.Image.Image:
    """An image of one row."""
    made = PIL.Image.new(mode, (len(pixels), 1))
    if palette:
        made.putpalette(palette)
    made.putdata(pixels)
    return made


def sixteen_bits(samples: NDArray[np.uint16], colour: int, *chunks: Chunk, alpha: int = 0xFFFF) -> bytes:
    """A PNG file of colour type 0 or 4 (grey) or 2 or 6 (the samples in all three colours). 4 and 6 have `alpha`."""
    parts = [samples] * (3 if colour & 2 else 1) + [np.full_like(samples, alpha)] * (colour >> 2)
    rows = np.dstack(parts).astype(">u2").reshape(len(samples), -1)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    return png(samples.shape[1], samples.shape[0], 16, colour, *chunks, (b"IDAT", packed))


@given(st.sampled_from(sorted(LOSSLESS)), st.integers(1, 9), st.integers(1, 9), st.sampled_from([None, *range(10)]))
def test_a_lossless_file_gives_its_pixels_upright(kind: str, width: int, height: int, orientation: int | None) -> None:
    upright = noise(width, height)
    with_tag = orientation is not None and kind != "BMP"
    stored = STORED.get(orientation or 1, lambda same: same)(upright) if with_tag else upright
    tags = {"exif": exif(orientation or 0)} if with_tag else {}
    photo = decode(encoded(stored, kind, **LOSSLESS[kind], **tags), Limits())
    assert np.array_equal(photo.pixels, upright)
    assert (photo.width, photo.height, photo.scale) == (width, height, 1)


@given(st.sampled_from(["JPEG", "PNG", "WEBP", "BMP", "AVIF"]), *[st.integers(150, 400)] * 2, st.integers(20, 500))
def test_a_large_photo_is_scaled_down_and_turned(kind: str, width: int, height: int, longest: int) -> None:
    upright, tags = gradient(width, height), {"exif": exif(6)} if kind != "BMP" else {}
    data = encoded(np.rot90(upright) if tags else upright, kind, quality=95, **tags)
    photo = decode(data, Limits(max_dimension=longest))
    scale = min(longest / max(width, height), 1)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    assert (photo.width, photo.height, photo.pixels.shape) == (width, height, (size[1], size[0], 3))
    assert photo.scale == pytest.approx(scale)
    expected = np.asarray(PIL.Image.fromarray(upright).resize(size, PIL.Image.Resampling.BOX)).astype(int)
    assert np.abs(photo.pixels - expected).mean() < 5


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
    turned = tags is not None and tags[ORIENTATION_TAG] == 6
    assert outcome(encoded(gradient(40, 30), kind, **options)) == ("30x40" if turned else "40x30")


def test_exif_after_the_pixels_of_a_png_file_counts_and_broken_metadata_does_not() -> None:
    pixels = (b"IDAT", zlib.compress(bytes(2 * 4)))
    assert outcome(png(3, 2, 8, 0, pixels, (b"eXIf", exif(6).tobytes()))) == "2x3"
    assert outcome(encoded(gradient(40, 30), "JPEG", exif=b"Exif\0\0nonsense")) == "40x30"


FILES: dict[str, tuple[bytes, list[list[int]]]] = {
    "grey": (encoded(image("L", 0, 7, 255)), [[0] * 3, [7] * 3, [255] * 3]),
    "black and white": (encoded(image("1", 1, 0)), [[255] * 3, [0] * 3]),
    "palette": (encoded(image("P", 1, 0, palette=TEN_TO_SIXTY)), [[40, 50, 60], [10, 20, 30]]),
    "transparent": (encoded(image("RGBA", (9, 9, 9, 0), (4, 5, 6, 255))), [[255] * 3, [4, 5, 6]]),
    "half transparent": (encoded(image("RGBA", (0, 100, 255, 51))), [[204, 224, 255]]),
    "transparent grey": (encoded(image("LA", (9, 0), (40, 255))), [[255] * 3, [40] * 3]),
    "transparent palette": (
        encoded(image("P", 0, 1, palette=TEN_TO_SIXTY), transparency=0),
        [[255] * 3, [40, 50, 60]],
    ),
    "transparent 16-bit grey": (
        sixteen_bits(np.array([[0x1234, 0x2832]], np.uint16), 0, (b"tRNS", b"\x12\x34")),
        [[255] * 3, [0x28] * 3],
    ),
}


def test_other_colours_become_rgb_over_white() -> None:
    assert {name: decode(data, Limits()).pixels.tolist() for name, (data, _) in FILES.items()} == {
        name: [expected] for name, (_, expected) in FILES.items()
    }


def test_cmyk_becomes_rgb() -> None:
    red: Pixels = np.full((16, 16, 3), (255, 0, 0), np.uint8)
    assert difference(encoded(PIL.Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=100), red) < 8


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF"])
def test_the_first_picture_of_an_animation_counts(kind: str) -> None:
    red, blue = (PIL.Image.new("RGB", (64, 64), colour) for colour in ("red", "blue"))
    data = encoded(red, kind, save_all=True, append_images=[blue, blue], lossless=True, quality=90)
    assert difference(data, np.asarray(red)) < 6


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I;16"])
@pytest.mark.parametrize(("width", "height"), [(300, 170), (170, 300)])
def test_a_photo_is_the_same_in_bands(mode: str, width: int, height: int, monkeypatch: pytest.MonkeyPatch) -> None:
    picture, limits = gradient(width, height), Limits(10**7, 10**6, 99)
    grey = PIL.Image.fromarray(picture[..., 0].astype(np.uint16) * 250)
    data = encoded(grey if mode == "I;16" else PIL.Image.fromarray(picture).convert(mode))
    whole = decode(data, limits).pixels.astype(int)
    monkeypatch.setattr(gate, "_BAND", 5000)
    assert np.abs(decode(data, limits).pixels - whole).max() <= 1


def test_an_encoded_png_file_has_the_same_pixels() -> None:
    assert np.array_equal(decode(encode_png(noise(7, 5)), Limits()).pixels, noise(7, 5))


@given(
    st.sampled_from([0, 2, 4, 6]),
    st.one_of(st.just(0x1000), st.integers(0, 16).map(lambda bits: 2**bits - 1), st.integers(0, 65535)),
)
def test_a_16_bit_photo_whose_samples_have_at_most_12_bits_is_brightened(colour: int, largest: int) -> None:
    samples = np.linspace(0, largest, 64).astype(np.uint16).reshape(8, 8)
    unused = 16 - max(largest.bit_length(), 8) if largest < 0x1000 else 0
    pixels = decode(sixteen_bits(samples, colour), Limits()).pixels
    assert (pixels == (samples << unused >> 8)[..., None]).all()


def test_transparency_is_kept_when_a_photo_is_brightened() -> None:
    assert (decode(sixteen_bits(np.full((2, 2), 0xFFF, np.uint16), 6, alpha=0), Limits()).pixels == 255).all()


def test_a_colour_photo_of_too_many_pixels_stays_dark(monkeypatch: pytest.MonkeyPatch) -> None:
    data = sixteen_bits(np.full((2, 3), 0xFFF, np.uint16), 2)
    for most, brightness in ((6, 255), (5, 15)):
        monkeypatch.setattr(sixteen_bit, "MAX_PIXELS", most)
        assert (decode(data, Limits()).pixels == brightness).all()
