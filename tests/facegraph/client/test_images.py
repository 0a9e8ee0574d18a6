"""Every form of a photo, converted to an upload."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from facegraph.client.images import Upload, upload_from

COLOURS = np.random.default_rng(1).integers(0, 256, (6, 4, 3), np.uint8)


def pixels(image: Any) -> NDArray[np.uint8]:
    """The pixels of the PNG file that is uploaded."""
    decoded = PIL.Image.open(io.BytesIO(upload_from(image).data))
    assert decoded.format == "PNG"
    return np.asarray(decoded)


def test_encoded_photos_are_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "Ada é.jpg"
    path.write_bytes(b"encoded")
    with path.open("rb") as buffered, path.open("rb", buffering=0) as raw:
        for image in (path, str(path), buffered, raw):
            assert upload_from(image) == Upload("Ada é.jpg", b"encoded")
    for data in (b"encoded", bytearray(b"encoded"), io.BytesIO(b"encoded")):
        assert upload_from(data) == Upload("photo", b"encoded")


@pytest.mark.parametrize("array", [COLOURS, COLOURS[..., ::-1], COLOURS[:, :, 0]])
def test_arrays_keep_their_pixels(array: NDArray[np.uint8]) -> None:
    assert np.array_equal(pixels(array), array)


@pytest.mark.parametrize(
    ("mode", "sent"), [("L", "L"), *((each, "RGB") for each in ("RGB", "RGBA", "P", "CMYK", "1", "LA"))]
)
def test_pillow_images_keep_their_pixels(mode: str, sent: str) -> None:
    image = PIL.Image.fromarray(COLOURS).convert(mode)
    assert np.array_equal(pixels(image), np.asarray(image.convert(sent)))


def test_a_pillow_image_is_sent_upright() -> None:
    rotated, exif = io.BytesIO(), PIL.Image.Exif()
    # Orientation: rotated by 90 degrees.
    exif[0x0112] = 6
    PIL.Image.fromarray(COLOURS).save(rotated, "PNG", exif=exif)
    assert np.array_equal(pixels(PIL.Image.open(rotated)), np.rot90(COLOURS, -1))


@pytest.mark.parametrize(
    "image",
    [
        *(np.zeros((4, 4, 3), dtype) for dtype in (np.float32, np.uint16, bool)),
        *(np.zeros(shape, np.uint8) for shape in ((4, 4, 4), (3, 4, 4), (1, 4, 4, 3), (4,), (0, 4, 3))),
        *(PIL.Image.new(mode, (4, 4)) for mode in ("I;16", "F", "I")),
    ],
)
def test_other_arrays_and_depths_are_refused(image: Any) -> None:
    with pytest.raises(ValueError, match="in RGB or"):
        upload_from(image)


@pytest.mark.parametrize("image", [3, None, [b"photo"], io.StringIO("text")])
def test_anything_else_is_refused(image: Any) -> None:
    with pytest.raises(TypeError, match=r"a photo is a path|open it as 'rb'"):
        upload_from(image)


def test_importing_the_client_imports_no_heavy_library() -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import sys, facegraph.client; print(*{each.split('.')[0] for each in sys.modules})"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"numpy", "PIL", "pydantic", "fastapi", "starlette", "ray"} & set(found.stdout.split())
