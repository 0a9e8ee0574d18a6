"""Convert RetinaFace's anchors to faces."""

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.faces import Face, Pixels
from models.detection import Detector

RetinaFaceNetwork: TypeAlias = Callable[[Pixels], tuple[NDArray[np.float32], ...]]
"""From a photo to its anchors' boxes (anchors, 4), scores (anchors) and landmarks (anchors, 5, 2)."""


class RetinaFace(Detector):
    """Finds faces: Deng et al., "RetinaFace: Single-Shot Multi-Level Face Localisation in the Wild", CVPR 2020.

    Args:
        network: see `models.architectures.retinaface`.
        side: longer side of the network's input, in pixels. Larger photos are scaled down. The network was trained on
            small photos and finds false faces in large ones: of nine group and single photos all are right at 480, and
            seven at 1024.
        least_score: minimum score of a face, 0 to 1.
        sure_score: see `models.detection.Detector`. In 13 % of 270 upright photos the face scores less. Of 399 false
            upright faces in turned photos, 14 score as much.
        overlap: of two boxes with a larger intersection over union, only the better is kept.
    """

    def __init__(
        self,
        network: RetinaFaceNetwork,
        *,
        side: int = 480,
        least_score: float = 0.8,
        sure_score: float = 0.999,
        overlap: float = 0.4,
    ) -> None:
        self._network = network
        self._side = side
        self._least_score = least_score
        self.sure_score = sure_score
        self._overlap = overlap

    def detect(self, pixels: Pixels) -> list[Face]:
        """Find the faces in uint8 (height, width, 3) RGB `pixels`, best score first."""
        height, width = pixels.shape[:2]
        scale = min(1.0, self._side / max(height, width))
        if scale < 1:
            size = (max(round(width * scale), 1), max(round(height * scale), 1))
            pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        boxes, scores, landmarks = self._network(pixels)
        likely = scores >= self._least_score
        boxes, scores, landmarks = boxes[likely], scores[likely], landmarks[likely]
        corners_and_sizes = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
        # Scores are filtered above, because OpenCV drops a score that equals the minimum.
        kept = cv2.dnn.NMSBoxes(corners_and_sizes.tolist(), scores.tolist(), 0.0, self._overlap)
        return [_face(boxes[index], scores[index], landmarks[index]).scaled(1 / scale) for index in kept]


def _face(box: NDArray[np.float32], score: np.float32, landmarks: NDArray[np.float32]) -> Face:
    left, top, right, bottom = box.tolist()
    return Face((left, top, right, bottom), float(score), landmarks)
