"""BlazeFace, run by MediaPipe Tasks (Bazarevsky et al., "BlazeFace", 2019, arXiv:1907.05047)."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from imaging.crops import TEMPLATE
from imaging.faces import Face, Pixels
from models.detection import Detector
from models.errors import ModelError

# If TensorFlow is installed, mediapipe imports a decorator for its documentation from it. That import takes 510 MB and
# 3 s, and crashes a process that uses PyTorch. None in sys.modules makes TensorFlow look uninstalled, so that mediapipe
# uses a substitute. The entry is removed afterwards, so that other modules can import TensorFlow.
_hides_tensorflow = "tensorflow" not in sys.modules
if _hides_tensorflow:
    sys.modules["tensorflow"] = None  # type: ignore[assignment]
try:
    from mediapipe import Image, ImageFormat
    from mediapipe.tasks.python import BaseOptions
    from mediapipe.tasks.python.core.base_options_c import MpBaseOptionsC
    from mediapipe.tasks.python.vision import FaceDetector, FaceDetectorOptions
finally:
    if _hides_tensorflow:
        del sys.modules["tensorflow"]

CANDIDATE_SCORE = 0.3
"""Minimum score in the first look. Faces in group photos score as low as this."""

OVERLAP = 0.15
"""Boxes with at least this intersection over union are the same face. With MediaPipe's default of 0.3, small faces get
two boxes."""

SURROUNDINGS = 5.0
"""Side of the second look's cut-out, as a multiple of the side of the candidate's box."""

SAME_FACE = 0.5
"""Maximum distance between the same face in both looks, as a multiple of the side of the box."""

MOUTH_PER_EYES = float(np.linalg.norm(TEMPLATE[4] - TEMPLATE[3]) / np.linalg.norm(TEMPLATE[1] - TEMPLATE[0]))
"""Width of the mouth relative to the distance between the eyes, 0.83 in the ArcFace template."""

BOX_WIDTH, BOX_HEIGHT, BOX_SHIFT = 0.85, 1.14, -0.04
"""Width and height of MTCNN's box and its shift down from the centre, as multiples of the side of BlazeFace's square:
means over 147 faces that both facenet-pytorch's MTCNN and the full range network found, with standard deviations of
0.07, 0.07 and 0.04. They raise the intersection over union of both detectors' boxes from 0.72 to 0.81."""


class _Options(BaseOptions):  # type: ignore[misc]
    """Options that keep MediaPipe from sending usage metrics.

    mediapipe 1.2 posts task, version and latencies to play.googleapis.com every minute, and this cannot be switched
    off. Without trusted certificates, its HTTP client closes the connection before it sends anything, but still
    resolves and contacts the host. To prevent that too, block the host or set https_proxy to an unused address.
    """

    def to_ctypes(self) -> MpBaseOptionsC:
        options = super().to_ctypes()
        options.ca_bundle_path = os.devnull.encode()
        return options


class BlazeFace(Detector):
    """BlazeFace with a second look at each candidate.

    The network sees a photo at 192x192 (short range: 128x128), where faces in group photos are a few pixels wide:
    scores are low, and landmarks are off by a tenth of the face. The network therefore looks at each candidate again in
    a cut-out of its surroundings. This second look decides whether the candidate is a face, and gives its box and
    landmarks. It is skipped if the cut-out would be at least as large as the photo. On 9 photos of 1 to 8 people and
    118 portraits, the full range network with one look and scores >= 0.5 misses one person and finds 3 false faces in
    205 pieces of background. With two looks, it finds that person and no false face. In both cases, it misses two
    blurred heads at the edges of a portrait.

    Thread-safe: MediaPipe runs all calls on its own thread.

    Attributes:
        sure_score: see `models.detection.Detector`. In 11 % of 270 upright photos, the face scores less than this. Of
            210 false upright faces that the full range network found in rotated photos, 11 reach this score.
    """

    sure_score = 0.7

    def __init__(self, path: Path, min_score: float = 0.5) -> None:
        """Load the exported network.

        Args:
            path: a TFLite file with metadata, as `models.architectures.blazeface` exports it.
            min_score: minimum score of a face, 0 to 1.

        Raises:
            ModelError: MediaPipe cannot load the file.
        """
        options = FaceDetectorOptions(
            base_options=_Options(model_asset_path=str(path), delegate=BaseOptions.Delegate.CPU),
            min_detection_confidence=CANDIDATE_SCORE,
            min_suppression_threshold=OVERLAP,
        )
        try:
            self._detector = FaceDetector.create_from_options(options)
        except (OSError, RuntimeError, ValueError) as error:
            raise ModelError(f"MediaPipe cannot load {path}; export it again: {error}") from error
        self._min_score = min_score

    def detect(self, pixels: Pixels) -> list[Face]:
        """Find the faces in uint8 (height, width, 3) RGB `pixels`, best score first.

        BlazeFace only marks the middle of the mouth. The corners are placed on either side of it, parallel to the eyes,
        as far apart as in the ArcFace template.
        """
        looks = (self._second_look(pixels, candidate) for candidate in self._look(pixels))
        faces = [_framed(face) for face in looks if face is not None and face.score >= self._min_score]
        return sorted(faces, key=lambda face: face.score, reverse=True)

    def close(self) -> None:
        """Free the network. If it is freed only when the interpreter exits, MediaPipe prints a traceback."""
        self._detector.close()

    def _second_look(self, pixels: Pixels, candidate: Face) -> Face | None:
        """Look for the candidate in a cut-out of its surroundings. Return None if it is not found there."""
        left, top, right, bottom = candidate.box
        side = max(right - left, 1.0)
        reach = SURROUNDINGS * side / 2
        if 2 * reach >= max(pixels.shape[:2]):
            return candidate
        x, y = (left + right) / 2, (top + bottom) / 2
        x0, y0, x1, y1 = (max(round(edge), 0) for edge in (x - reach, y - reach, x + reach, y + reach))
        surroundings = pixels[y0:y1, x0:x1]
        if surroundings.size == 0:  # found in the padding of a very long photo
            return None

        def distance(face: Face) -> float:
            return float(np.linalg.norm((face.landmarks - candidate.landmarks).mean(axis=0)))

        nearest = min(self._look(surroundings, x0, y0), key=distance, default=None)
        return nearest if nearest is not None and distance(nearest) < SAME_FACE * side else None

    def _look(self, pixels: Pixels, x0: int = 0, y0: int = 0) -> list[Face]:
        """Run the network on `pixels`, whose top left corner is at `x0`, `y0` of the photo. Boxes are squares."""
        height, width = pixels.shape[:2]
        # A cut-out is a view with gaps between rows, but MediaPipe expects contiguous pixels.
        image = Image(ImageFormat.SRGB, np.ascontiguousarray(pixels))
        faces = []
        for detection in self._detector.detect(image).detections:
            box = detection.bounding_box
            left, top = float(x0 + box.origin_x), float(y0 + box.origin_y)
            # The first point is the person's right eye, which is on the left in the photo. The last two are ears.
            points = [(x0 + point.x * width, y0 + point.y * height) for point in detection.keypoints[:4]]
            left_eye, right_eye, nose, mouth = np.array(points)
            half_mouth = MOUTH_PER_EYES / 2 * (right_eye - left_eye)
            landmarks = np.array([left_eye, right_eye, nose, mouth - half_mouth, mouth + half_mouth], np.float32)
            score = float(detection.categories[0].score)
            faces.append(Face((left, top, left + box.width, top + box.height), score, landmarks))
        return faces


def _framed(face: Face) -> Face:
    """Adjust the box to MTCNN's, because embedders and liveness models were measured with MTCNN's crops."""
    left, top, right, bottom = face.box
    x, y = (left + right) / 2, (top + bottom) / 2 + BOX_SHIFT * (bottom - top)
    half_width, half_height = BOX_WIDTH / 2 * (right - left), BOX_HEIGHT / 2 * (bottom - top)
    return replace(face, box=(x - half_width, y - half_height, x + half_width, y + half_height))
