"""Where not all faces count, MTCNN looks at small windows only if it has to."""

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from imaging.faces import Face
from imaging.pick import Pick
from models.catalogue import card
from models.detectors.mtcnn import CELL, Mtcnn
from models.device import Device
from models.onnx_session import OnnxNetwork
from models.store import Store

MIN_FACE, FACTOR = 40, 0.709
SIDE = 800
"""Of the photos; windows of a sixth of it and more come first: 133 pixels."""


@dataclass
class Levels:
    """PNet, which remembers how large the windows were that it looked at, in the photo's pixels."""

    pnet: OnnxNetwork
    windows: list[int] = field(default_factory=list)

    def __call__(self, level: NDArray[np.float32]) -> Any:
        self.windows.append(round(CELL * SIDE / (level.shape[1] - 1)))
        return self.pnet(level)


@dataclass
class Watched:
    detector: Mtcnn
    levels: Levels

    def largest(self, pixels: NDArray[np.uint8]) -> tuple[float, ...]:
        """The box of the largest face."""
        (face,) = self.find(pixels, Pick("largest"))
        return face.box

    def find(self, pixels: NDArray[np.uint8], pick: Pick) -> list[Face]:
        """The faces that count; only what is looked at for them is remembered."""
        self.levels.windows.clear()
        return self.detector.find(pixels, pick)


@pytest.fixture(scope="module")
def networks(store: Store) -> list[OnnxNetwork]:
    return [OnnxNetwork(path, Device()) for path in store.exports(card("mtcnn"))]


@pytest.fixture
def watched(networks: list[OnnxNetwork]) -> Watched:
    return watching(networks)


def watching(networks: list[OnnxNetwork], **options: Any) -> Watched:
    pnet, rnet, onet = networks
    levels = Levels(pnet)
    return Watched(Mtcnn(levels, rnet, onet, min_face=MIN_FACE, factor=FACTOR, **options), levels)


@pytest.fixture(scope="module")
def square(portrait: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A square photo that its face nearly fills."""
    side = min(portrait.shape[:2])
    return portrait[:side, :side]


def pasted(square: NDArray[np.uint8], *places: tuple[int, int, int]) -> NDArray[np.uint8]:
    """A grey photo with the square photo at each x and y, this large."""
    pixels = np.full((SIDE, SIDE, 3), 128, np.uint8)
    for x, y, side in places:
        pixels[y : y + side, x : x + side] = cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA)
    return pixels


@pytest.fixture(params=[600, 700, 800])
def close(request: pytest.FixtureRequest, square: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pasted(square, (0, 0, request.param))


def test_a_large_face_needs_no_small_windows(watched: Watched, close: NDArray[np.uint8]) -> None:
    box = watched.largest(close)
    assert min(watched.levels.windows) >= SIDE / 6
    assert box == max(watched.detector.detect(close), key=lambda face: face.area).box


def test_a_small_face_is_found_all_the_same(watched: Watched, square: NDArray[np.uint8]) -> None:
    small = pasted(square, (300, 300, 150))
    box = watched.largest(small)
    assert min(watched.levels.windows) == MIN_FACE
    assert (box,) == tuple(face.box for face in watched.detector.detect(small))


def test_a_face_of_middling_size_needs_windows_of_half_its_side_and_no_smaller_ones(
    watched: Watched, square: NDArray[np.uint8]
) -> None:
    """Smaller ones than at first, which might have shown one that is a little larger."""
    middling = pasted(square, (100, 100, 330))
    left, top, right, bottom = watched.largest(middling)
    side = ((right - left) * (bottom - top)) ** 0.5
    assert SIDE / 6 < side < 2 * SIDE / 6
    assert MIN_FACE < FACTOR * side / 2 < min(watched.levels.windows) <= side / 2
    assert len(watched.levels.windows) == len(set(watched.levels.windows)), "a level was looked at twice"


def test_of_two_faces_the_larger_one_is_found(watched: Watched, square: NDArray[np.uint8]) -> None:
    box = watched.largest(pasted(square, (0, 0, 180), (200, 200, 600)))
    assert min(watched.levels.windows) >= SIDE / 6
    assert box[0] > 200


def test_a_face_that_is_not_sure_is_compared_with_all_others(
    networks: list[OnnxNetwork], close: NDArray[np.uint8]
) -> None:
    doubting = watching(networks, sure=1.0)
    box = doubting.largest(close)
    assert min(doubting.levels.windows) == MIN_FACE
    assert box == max(doubting.detector.detect(close), key=lambda face: face.area).box


def test_a_photo_whose_windows_are_all_large_is_looked_at_once(watched: Watched, square: NDArray[np.uint8]) -> None:
    """A sixth of a small photo is less than the smallest face."""
    little = np.asarray(cv2.resize(square, (200, 200)), np.uint8)
    watched.largest(little)
    once = len(watched.levels.windows)
    watched.levels.windows.clear()
    watched.detector.detect(little)
    assert len(watched.levels.windows) == once


def test_a_large_face_in_the_middle_is_prominent_without_small_windows_and_one_at_the_edge_is_not(
    watched: Watched, square: NDArray[np.uint8]
) -> None:
    [middle] = watched.find(pasted(square, (100, 100, 600)), Pick("prominent"))
    assert min(watched.levels.windows) > 2 * MIN_FACE
    assert middle.side > 300
    watched.find(pasted(square, (0, 0, 330)), Pick("prominent"))
    assert min(watched.levels.windows) == MIN_FACE


def test_a_small_face_in_the_middle_is_more_prominent_than_a_large_one_at_the_edge(
    watched: Watched, square: NDArray[np.uint8]
) -> None:
    photo = pasted(square, (0, 0, 300), (320, 320, 160))
    [prominent] = watched.find(photo, Pick("prominent"))
    [largest] = watched.find(photo, Pick("largest"))
    assert prominent.box[0] > 320
    assert largest.side > 1.5 * prominent.side


def test_other_faces_are_looked_for_down_to_the_size_that_counts(watched: Watched, square: NDArray[np.uint8]) -> None:
    beside = pasted(square, (0, 0, 500), (550, 550, 240))
    assert len(watched.find(beside, Pick("one", 0.33))) == 2
    [face] = watched.find(pasted(square, (0, 0, 500)), Pick("one", 0.33))
    assert FACTOR * 0.33 * face.side < min(watched.levels.windows) <= 0.33 * face.side
    assert len(watched.levels.windows) == len(set(watched.levels.windows)), "a level was looked at twice"


def test_every_face_is_looked_for_where_every_one_counts(watched: Watched, square: NDArray[np.uint8]) -> None:
    watched.find(pasted(square, (0, 0, 600)), Pick("one"))
    assert min(watched.levels.windows) == MIN_FACE


def test_no_window_is_shown_to_a_network_twice(networks: list[OnnxNetwork], square: NDArray[np.uint8]) -> None:
    seen: list[bytes] = []

    def remembering(network: OnnxNetwork) -> Any:
        def ask(windows: NDArray[np.float32]) -> Any:
            seen.extend(window.tobytes() for window in windows)
            return network(windows)

        return ask

    pnet, rnet, onet = networks
    detector = Mtcnn(pnet, remembering(rnet), remembering(onet), min_face=MIN_FACE)
    detector.find(pasted(square, (100, 100, 330)), Pick("largest"))
    assert len(seen) == len(set(seen)) > 10
