"""The smallest faces that detectors find, as stated in docs/v1.md, in pixels of the photo that was sent."""

import io
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from imaging.decode import Limits, decode
from imaging.faces import Face, Photo, Pixels
from imaging.pick import PROMINENT
from models.catalogue import card
from models.detection import PhotoDetector
from models.device import Device
from models.engines import load_detector
from models.store import Store
from tests.models.conftest import Loaded, portraits

LONGER, COLUMNS, ROWS = 4000, 6, 4
SMALLEST = {"mtcnn": 140, "mediapipe-full-range": 210, "centerface": 110, "retinaface-mobilenet": 160}
"""Side in pixels at which half of the faces are found, in a photo of `LONGER` pixels."""


@pytest.fixture(scope="module")
def shown(sample_photos: Path, store: Store) -> list[tuple[Pixels, Face]]:
    """Portraits and their faces."""
    shown, detect = [], PhotoDetector(load_detector(card("mtcnn"), store, "onnx", Device(), {}), Limits())
    for path in portraits(sample_photos, each=8):
        data = path.read_bytes()
        [answer] = detect([data], [], PROMINENT).photos
        if isinstance(answer, Photo) and answer.found:
            shown.append((decode(data, Limits()).pixels, answer.faces[0]))
    return shown[: COLUMNS * ROWS]


def sheet(shown: list[tuple[Pixels, Face]], side: float) -> bytes:
    """A large photo of all faces, each with a side of `side` pixels, as a JPEG file."""
    cell_width, cell_height = LONGER // COLUMNS, 3 * LONGER // 4 // ROWS
    canvas: NDArray[np.uint8] = np.full((ROWS * cell_height, LONGER, 3), 128, np.uint8)
    for place, (pixels, face) in enumerate(shown):
        scale = side / face.side
        resized = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        left, top, right, bottom = (scale * edge for edge in face.box)
        x, y = max(round((left + right - cell_width) / 2), 0), max(round((top + bottom - cell_height) / 2), 0)
        part = resized[y : y + cell_height, x : x + cell_width]
        row, column = divmod(place, COLUMNS)
        corner = row * cell_height, column * cell_width
        canvas[corner[0] : corner[0] + part.shape[0], corner[1] : corner[1] + part.shape[1]] = part
    file = io.BytesIO()
    PIL.Image.fromarray(canvas).save(file, "JPEG", quality=95)
    return file.getvalue()


@pytest.mark.parametrize(("times", "least", "most"), [(1.0, 0.5, 1.0), (0.5, 0.0, 0.4)])
def test_half_of_the_smallest_faces_are_found_and_few_of_half_their_size(
    loaded: Loaded, shown: list[tuple[Pixels, Face]], times: float, least: float, most: float
) -> None:
    [answer] = PhotoDetector(loaded.detector, Limits())([sheet(shown, times * SMALLEST[loaded.name])], []).photos
    assert isinstance(answer, Photo)
    assert least <= answer.found / len(shown) <= most
