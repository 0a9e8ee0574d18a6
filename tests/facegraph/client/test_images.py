"""What a photo may be, and what is sent of it."""

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


def shown(file: Upload) -> NDArray[np.uint8]:
    """The pixels of an encoded photo."""
    image = PIL.Image.open(io.BytesIO(file.data))
    assert image.format == "PNG"
    return np.asarray(image)


@pytest.fixture
def colours() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (6, 4, 3), np.uint8)


def test_encoded_photos_are_sent_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "Ada é.jpg"
    path.write_bytes(b"encoded")
    assert upload_from(path) == upload_from(str(path)) == Upload("Ada é.jpg", b"encoded")
    with path.open("rb") as opened:
        assert upload_from(opened) == Upload("Ada é.jpg", b"encoded")
    with path.open("rb", buffering=0) as opened:
        assert upload_from(opened) == Upload("Ada é.jpg", b"encoded")
    assert upload_from(b"encoded") == upload_from(bytearray(b"encoded")) == Upload("photo", b"encoded")
    assert upload_from(io.BytesIO(b"encoded")) == Upload("photo", b"encoded")


def test_arrays_are_sent_without_loss(colours: NDArray[np.uint8]) -> None:
    assert upload_from(colours).name == "photo.png"
    assert np.array_equal(shown(upload_from(colours)), colours)
    assert np.array_equal(shown(upload_from(colours[..., ::-1])), colours[..., ::-1])
    assert np.array_equal(shown(upload_from(colours[:, :, 0])), colours[:, :, 0])


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((4, 4, 3), np.float32), "uint8 in RGB or grey, not float32"),
        (np.zeros((4, 4), np.uint16), "uint8 in RGB or grey, not uint16"),
        (np.zeros((4, 4), bool), "not bool"),
        (np.zeros((4, 4, 4), np.uint8), r"\(height, width, 3\) in RGB .* not \(4, 4, 4\)"),
        (np.zeros((3, 4, 4), np.uint8), r"in RGB .* not \(3, 4, 4\)"),
        (np.zeros((1, 4, 4, 3), np.uint8), "in RGB"),
        (np.zeros(4, np.uint8), "in RGB"),
        (np.zeros((0, 4, 3), np.uint8), "in RGB"),
    ],
)
def test_other_arrays_are_refused(array: NDArray[Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        upload_from(array)


def test_pillow_images_are_sent_without_loss(colours: NDArray[np.uint8]) -> None:
    image = PIL.Image.fromarray(colours)
    assert np.array_equal(shown(upload_from(image)), colours)
    assert np.array_equal(shown(upload_from(image.convert("L"))), np.asarray(image.convert("L")))
    for mode in ("RGBA", "P", "CMYK", "1", "LA"):
        other = image.convert(mode)
        assert np.array_equal(shown(upload_from(other)), np.asarray(other.convert("RGB")))


def test_a_pillow_image_is_sent_upright(colours: NDArray[np.uint8]) -> None:
    held = io.BytesIO()
    exif = PIL.Image.Exif()
    # Orientation: turned by a quarter, as a phone that is held upright has it.
    exif[0x0112] = 6
    PIL.Image.fromarray(colours).save(held, "PNG", exif=exif)
    assert np.array_equal(shown(upload_from(PIL.Image.open(held))), np.rot90(colours, -1))


@pytest.mark.parametrize("mode", ["I;16", "F", "I"])
def test_pillow_images_of_more_depth_are_refused(mode: str) -> None:
    with pytest.raises(ValueError, match="RGB or grey"):
        upload_from(PIL.Image.new(mode, (4, 4)))


@pytest.mark.parametrize("image", [3, None, [b"photo"], io.StringIO("text")])
def test_anything_else_is_refused(image: Any) -> None:
    with pytest.raises(TypeError, match=r"a photo is a path|open it as 'rb'"):
        upload_from(image)


def test_a_path_that_is_not_there_is_the_callers_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        upload_from(tmp_path / "nobody.jpg")


def test_the_client_needs_httpx_alone() -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import sys, facegraph.client; print(*{each.split('.')[0] for each in sys.modules})"],
        capture_output=True,
        text=True,
        check=True,
    )
    needless = {"numpy", "PIL", "pydantic", "fastapi", "starlette", "ray", "api", "models", "gallery", "graphs"}
    assert not needless & set(found.stdout.split())
