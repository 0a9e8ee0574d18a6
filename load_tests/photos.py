"""Photos to send in requests."""

import base64
import io
import mimetypes
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import PIL.Image

from load_tests import RESULTS, ROOT

SAMPLES = ROOT / "data" / "photos"
# In these sample photos every detector finds exactly one face, large and clear enough to be enrolled.
GOOD_SAMPLES = ("*/*biography*", "*/*zimbio*", "madonna/*justjared*")
SUFFIXES = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".heic", ".heif", ".hif", ".avif"})
MAX_PHOTOS = 200
"""Maximum number of photos loaded from a folder."""
LONGEST_SIDE = 1024
"""Longer side of a typical photo from a phone client, in pixels. The sample photos are smaller."""


@dataclass(frozen=True, slots=True)
class Photo:
    """An encoded photo as a form file (name, bytes, media type) and as base64."""

    file: tuple[str, bytes, str]
    base64: str

    @classmethod
    def read(cls, path: Path) -> "Photo":
        """Read a photo from a file."""
        data, kind = path.read_bytes(), mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return cls((path.name, data, kind), base64.b64encode(data).decode())


def pair_json(path: str, pair: Iterable[Photo]) -> dict[str, str]:
    """Build the JSON of a request to a route that compares two photos."""
    fields = ("image1", "image2") if path == "/match" else ("image1_base64", "image2_base64")
    return {field: photo.base64 for field, photo in zip(fields, pair, strict=True)}


def samples(*patterns: str) -> list[Path]:
    """Find the sample photos whose paths match; raises ValueError if they have not been fetched."""
    paths = [path for pattern in patterns for path in sorted(SAMPLES.glob(pattern))]
    if not paths:
        raise ValueError(f"{SAMPLES} has no sample photos: run `make photos`, or pass your own photos")
    return paths


def sample_pair() -> tuple[Path, Path]:
    """Return two sample photos of one person; raises ValueError like `samples`."""
    first, second, *_ = samples("mindy_kaling/*zimbio*")
    return first, second


def enlarged(path: Path) -> bytes:
    """Return a photo with `LONGEST_SIDE` pixels on the longer side, as a JPEG file."""
    image, file = PIL.Image.open(path), io.BytesIO()
    scale = LONGEST_SIDE / max(image.size)
    size = round(image.width * scale), round(image.height * scale)
    image.resize(size).save(file, "JPEG", quality=92)
    return file.getvalue()


def enlarged_pair() -> tuple[Path, Path]:
    """Write enlarged copies of the photos of `sample_pair`, and return their paths."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(sample_pair(), 1):
        (RESULTS / f"photo{number}.jpg").write_bytes(enlarged(path))
    return RESULTS / "photo1.jpg", RESULTS / "photo2.jpg"


def in_folder(folder: Path) -> list[Path]:
    """Find up to `MAX_PHOTOS` photos in `folder` and its subfolders, evenly spaced in sorted order.

    Raises ValueError if there are fewer than two.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if len(paths) < 2:
        raise ValueError(f"{folder} has {len(paths)} photos; at least two are needed")
    return paths[:: -(-len(paths) // MAX_PHOTOS)]
