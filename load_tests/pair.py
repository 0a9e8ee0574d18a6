"""The two photos that every measurement of the benchmark compares."""

import io
from pathlib import Path

import PIL.Image

from project.root import ROOT
from tests import photos

FOLDER = ROOT / "data" / "bench"
# The sample photos are small: enlarged to the size of what a phone's client sends.
LONGEST_SIDE = 1024


def prepare() -> tuple[Path, Path]:
    """Two photos of one person, 1,024 pixels on the longer side."""
    photos.fetch()
    FOLDER.mkdir(parents=True, exist_ok=True)
    made = []
    for number, path in enumerate(sorted((photos.FOLDER / "mindy_kaling").glob("*zimbio*.jpg"))[:2]):
        image = PIL.Image.open(path)
        scale = LONGEST_SIDE / max(image.size)
        file = io.BytesIO()
        image.resize((round(image.width * scale), round(image.height * scale))).save(file, "JPEG", quality=92)
        made.append(FOLDER / f"photo{number + 1}.jpg")
        made[-1].write_bytes(file.getvalue())
    return made[0], made[1]
