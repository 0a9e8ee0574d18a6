"""Convert CenterFace's maps to faces."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.faces import Face, Pixels
from models.detection import Detector, face_in
from models.detectors.mtcnn import non_maximum_suppression

Maps: TypeAlias = tuple[NDArray[np.float32], ...]
"""Four maps of a photo, float32 (channels, height, width), with one cell per 4x4 pixels: the score of a face's centre
(1 channel); the logarithm of the box's height and width in cells (2); y and x of the centre relative to the middle of
its cell, in cells (2); y and x of the five landmarks from the box's top left corner, as shares of the box (10)."""

CenterFaceNetwork: TypeAlias = Callable[[Pixels], tuple[NDArray[np.float32], ...]]
"""Takes photos, uint8 (n, height, width, 3) RGB with sides that are multiples of `STEP`; returns their `Maps`, each
stacked along a first axis."""

CELL = 4
"""Pixels per cell of the maps, along each axis."""

STEP = 32
"""Both sides of the input are multiples of this, because the network halves them five times."""


@dataclass(eq=False)
class CenterFace(Detector):
    """Finds faces as points: Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point", 2020.

    A photo is scaled down and padded with black at the bottom and on the right. Padding with grey or to a square gives
    the same results. Photos smaller than `side` are not enlarged: enlarging 500 portraits of 450 pixels doubled the
    time, and exactly one face was found in 97.8 % of them instead of 98.0 %.

    The network's boxes are not adjusted. They agree with the boxes of MTCNN, with which embedders and liveness models
    were measured: MTCNN's boxes are 0.98 times as wide and 0.97 times as high (means over 866 faces, standard
    deviations 0.07 and 0.09), and the mean intersection over union is 0.851. Scaling the boxes by these means would
    raise the mean intersection over union only to 0.859.

    Thread-safe.

    Attributes:
        network: see `models.architectures.centerface`.
        side: longer side of the network's input, in pixels. Larger photos are scaled down. Time grows with the square.
            At 640, half of the faces of 17 pixels are found.
        least_score: minimum score of a face, 0 to 1. On 500 portraits, mostly of one person, and 527 faces in 120
            photos of crowds:

            | least score | exactly one face | several | none | crowds: found | not labelled |
            |---|---|---|---|---|---|
            | 0.40 | 97.0 % | 15 | 0 | 89.0 % | 64 |
            | 0.45 | 97.2 % | 14 | 0 | 86.7 % | 51 |
            | 0.50 | 98.0 % | 10 | 0 | 84.4 % | 37 |
            | 0.55 | 98.6 % | 7 | 0 | 82.7 % | 31 |
            | 0.60 | 98.8 % | 5 | 1 | 80.5 % | 23 |

            Most of the additional faces in the portraits are real bystanders.
        rival_score: see `models.detection.Detector`. In the portraits, blurred people in profile behind the subject
            score less than this.
        sure_score: see `models.detection.Detector`. In 4.8 % of 270 upright photos, the face scores less than this. Of
            18 false upright faces in rotated photos, one reaches this score.
        overlap: of two boxes with a larger intersection over union, only the better is kept.
        square: whether to pad every photo to `side` by `side`, so that all photos have the same shape and can share a
            batch. On a CPU, a photo of 640x480 then takes a third more time.
    """

    network: CenterFaceNetwork
    _: KW_ONLY
    side: int = 640
    least_score: float = 0.5
    rival_score: float = 0.6
    sure_score: float = 0.85
    overlap: float = 0.3
    square: bool = False

    def detect(self, pixels: Pixels) -> list[Face]:
        """Find the faces in uint8 (height, width, 3) RGB `pixels`, best score first."""
        scale = min(self.side / max(pixels.shape[:2]), 1.0)
        resized = _resized(pixels, scale)
        least = self.side if self.square else 1
        height, width = resized.shape[:2]
        canvas = np.zeros((1, _padded(max(least, height)), _padded(max(least, width)), 3), dtype=np.uint8)
        canvas[0, :height, :width] = resized
        maps = tuple(each[0] for each in self.network(canvas))
        return [face.scaled(1 / scale) for face in self._faces(maps)]

    def _faces(self, maps: Maps) -> list[Face]:
        """Decode the maps of a photo. Faces are in pixels of the network's input, best score first."""
        scores, sizes, offsets, landmarks = maps
        rows, columns = np.nonzero(scores[0] >= self.least_score)
        centres = CELL * (np.stack([columns, rows], axis=1) + 0.5 + offsets[::-1, rows, columns].T)
        sides = CELL * np.exp(sizes[::-1, rows, columns].T)
        corners = centres - sides / 2
        boxes = np.column_stack([corners, corners + sides, scores[0, rows, columns]]).astype(np.float32)
        shares = landmarks[:, rows, columns].T.reshape(-1, 5, 2)[..., ::-1]
        points = (corners[:, None] + sides[:, None] * shares).astype(np.float32)
        return [face_in(boxes[index], points[index]) for index in non_maximum_suppression(boxes, self.overlap)]


def _resized(pixels: Pixels, scale: float) -> Pixels:
    if scale == 1:
        return pixels
    height, width = (max(round(side * scale), 1) for side in pixels.shape[:2])
    # By default, photos from the decode gate are at most halved. Down to half the size, linear interpolation uses every
    # pixel, takes a seventh of the time of area interpolation, and gives the same faces.
    how = cv2.INTER_LINEAR if scale >= 0.5 else cv2.INTER_AREA
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=how), dtype=np.uint8)


def _padded(side: int) -> int:
    """Round up to a multiple of `STEP`."""
    return -(-side // STEP) * STEP
