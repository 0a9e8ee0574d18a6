"""The photos that the requests of the load tests carry."""

import base64
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from imaging.formats import SUFFIXES
from tests import photos

# Of these sample photos every detector finds exactly one face, large and clear enough to be enrolled.
SAMPLES = ("*/*biography*", "*/*zimbio*", "madonna/*justjared*")
MOST = 200
"""Photos of a folder that are kept in memory."""


class NoPhotosError(ValueError):
    """There are not two photos to send; the message says where."""


@dataclass(frozen=True, slots=True)
class Photo:
    """An encoded photo, as requests carry it.

    Attributes:
        name: of its file.
        kind: media type.
        data: the file's bytes.
        base64: the same as text.
    """

    name: str
    kind: str
    data: bytes
    base64: str

    @classmethod
    def read(cls, path: Path) -> "Photo":
        """The photo in a file."""
        data = path.read_bytes()
        kind, _ = mimetypes.guess_type(path.name)
        return cls(path.name, kind or "application/octet-stream", data, base64.b64encode(data).decode())


def samples() -> list[Photo]:
    """Good sample photos of five people, fetched if they are not there."""
    photos.fetch()
    return [Photo.read(path) for pattern in SAMPLES for path in sorted(photos.FOLDER.glob(pattern))]


def in_folder(folder: Path) -> list[Photo]:
    """The photos in `folder` and the folders below, `MOST` of them, spread evenly over their paths.

    Raises:
        NoPhotosError: there are fewer than two.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if len(paths) < 2:
        raise NoPhotosError(f"{folder} has {len(paths)} photos; at least two are needed")
    count = min(len(paths), MOST)
    return [Photo.read(paths[number * len(paths) // count]) for number in range(count)]
