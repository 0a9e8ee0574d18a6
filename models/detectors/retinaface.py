"""Convert RetinaFace's anchors to faces. Anchors and their decoding: Liu et al., "SSD", ECCV 2016."""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.faces import Face, Pixels
from models.detection import Detector, face_in

RetinaFaceNetwork: TypeAlias = Callable[[Pixels], Sequence[NDArray[np.float32]]]
"""Takes photos, uint8 (n, height, width, 3) RGB; returns the float32 scores (n, anchors), boxes (n, anchors, 4) and
landmarks (n, anchors, 10) of their anchors. See `decoded`."""

LEVELS = ((8, (10, 20)), (16, (32, 64)), (32, (128, 256)))
"""Stride of each level of the pyramid and the sides of its two square anchors, in pixels."""
CENTRE_VARIANCE, SIZE_VARIANCE = 0.1, 0.2


@dataclass(eq=False)
class RetinaFace(Detector):
    """Finds faces: Deng et al., "RetinaFace: Single-Shot Multi-Level Face Localisation in the Wild", CVPR 2020.

    Attributes:
        network: see `models.architectures.retinaface`.
        side: longer side of the network's input, in pixels. Larger photos are scaled down. The network was trained on
            small photos and finds false faces in large ones. At 480, it finds the right faces in all of nine photos,
            and at 1024, in seven.
        least_score: minimum score of a face, 0 to 1.
        sure_score: see `models.detection.Detector`. In 13 % of 270 upright photos, the face scores less than this. Of
            399 false upright faces in rotated photos, 14 reach this score.
        overlap: of two boxes with a larger intersection over union, only the better is kept.
    """

    network: RetinaFaceNetwork
    _: KW_ONLY
    side: int = 480
    least_score: float = 0.8
    sure_score: float = 0.999
    overlap: float = 0.4

    def detect(self, pixels: Pixels) -> list[Face]:
        """Find the faces in uint8 (height, width, 3) RGB `pixels`, best score first."""
        height, width = pixels.shape[:2]
        scale = min(1.0, self.side / max(height, width))
        if scale < 1:
            size = (max(round(width * scale), 1), max(round(height * scale), 1))
            pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        scores, boxes, landmarks = (answer[0] for answer in self.network(pixels[None]))
        likely = scores >= self.least_score
        scores = scores[likely]
        boxes, landmarks = decoded(boxes[likely], landmarks[likely], anchors(*pixels.shape[:2])[likely])
        corners_and_sizes = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
        # Scores are filtered above, because OpenCV drops a score that equals the minimum.
        kept = cv2.dnn.NMSBoxes(corners_and_sizes.tolist(), scores.tolist(), 0.0, self.overlap)
        scored = np.column_stack([boxes, scores])
        return [face_in(scored[index], landmarks[index]).scaled(1 / scale) for index in kept]


def anchors(height: int, width: int) -> NDArray[np.float32]:
    """Return a photo's anchors in the network's order, float32 (anchors, 3): centre x, centre y and side in pixels."""
    grids = []
    for stride, sides in LEVELS:
        rows, columns = (np.arange(-(-length // stride)) + 0.5 for length in (height, width))
        y, x, side = np.meshgrid(rows * stride, columns * stride, sides, indexing="ij")
        grids.append(np.stack([x, y, side], axis=3).reshape(-1, 3))
    return np.concatenate(grids).astype(np.float32)


def decoded(
    boxes: NDArray[np.float32], landmarks: NDArray[np.float32], anchors: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Convert the network's outputs for `anchors` to pixels.

    Args:
        boxes: (anchors, 4): the offset of the box's centre from the anchor's, relative to the anchor's side and divided
            by `CENTRE_VARIANCE`; and the logarithms of the box's width and height relative to the anchor's side,
            divided by `SIZE_VARIANCE`.
        landmarks: (anchors, 10): the landmarks in the order of `imaging.faces.Face`, as offsets from the anchor's
            centre, like those of the boxes.
        anchors: see `anchors`.

    Returns:
        Boxes (anchors, 4) as left, top, right, bottom, and landmarks (anchors, 5, 2).
    """
    centres, sides = anchors[:, :2], anchors[:, 2:]
    middles = centres + CENTRE_VARIANCE * sides * boxes[:, :2]
    halves = sides * np.exp(SIZE_VARIANCE * boxes[:, 2:]) / 2
    points = centres[:, None] + CENTRE_VARIANCE * sides[:, None] * landmarks.reshape(-1, 5, 2)
    return np.hstack([middles - halves, middles + halves]), points
