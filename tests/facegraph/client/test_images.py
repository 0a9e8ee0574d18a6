"""Converting every form of a photo to an upload."""

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
IN_RGB, OF_BYTES = (ValueError, "in RGB or"), (TypeError, r"a photo is a path|open it as 'rb'")


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


def test_arrays_and_pillow_images_keep_their_pixels() -> None:
    for array in (COLOURS, COLOURS[..., ::-1], COLOURS[:, :, 0]):
        assert np.array_equal(pixels(array), array)
    for mode in ("L", "RGB", "RGBA", "P", "CMYK", "1", "LA"):
        image = PIL.Image.fromarray(COLOURS).convert(mode)
        assert np.array_equal(pixels(image), np.asarray(image.convert("L" if mode == "L" else "RGB"))), mode


def test_a_pillow_image_is_sent_upright() -> None:
    rotated, exif = io.BytesIO(), PIL.Image.Exif()
    # Orientation: rotated by 90 degrees.
    exif[0x0112] = 6
    PIL.Image.fromarray(COLOURS).save(rotated, "PNG", exif=exif)
    assert np.array_equal(pixels(PIL.Image.open(rotated)), np.rot90(COLOURS, -1))


@pytest.mark.parametrize(
    ("image", "refusal"),
    [
        *((np.zeros((4, 4, 3), dtype), IN_RGB) for dtype in (np.float32, np.uint16, bool)),
        *((np.zeros(shape, np.uint8), IN_RGB) for shape in ((4, 4, 4), (3, 4, 4), (1, 4, 4, 3), (4,), (0, 4, 3))),
        *((PIL.Image.new(mode, (4, 4)), IN_RGB) for mode in ("I;16", "F", "I")),
        *((image, (ValueError, "not a URL")) for image in ("https://a.example/b.jpg", "data:image/png;base64,AA==")),
        *((image, OF_BYTES) for image in (3, None, [b"photo"], io.StringIO("text"))),
    ],
)
def test_anything_else_is_refused(image: Any, refusal: tuple[type[Exception], str]) -> None:
    with pytest.raises(refusal[0], match=refusal[1]):
        upload_from(image)


def test_importing_the_client_imports_no_heavy_library() -> None:
    code = "import sys, facegraph.client; print(*{each.split('.')[0] for each in sys.modules})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "PIL", "pydantic", "fastapi", "starlette", "ray"} & set(found.stdout.split())
