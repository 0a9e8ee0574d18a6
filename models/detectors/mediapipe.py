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

# mediapipe takes a decorator for its documentation from TensorFlow where that is installed: 510 MB
# and 3 s for nothing, and a crash beside torch. None in sys.modules makes a module look as if it
# were not installed, for which mediapipe has a substitute; taken back so that nothing else is misled.
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
"""What the first look must score; the faces of a group score down to that."""

OVERLAP = 0.15
"""Intersection over union from which on two boxes are one face; MediaPipe's own 0.3 leaves a small
face with two boxes."""

SURROUNDINGS = 5.0
"""Side of the square that the second look sees, in sides of the candidate's box."""

SAME_FACE = 0.5
"""How far apart, in sides of the box, the two looks may see one face."""

MOUTH_PER_EYES = float(np.linalg.norm(TEMPLATE[4] - TEMPLATE[3]) / np.linalg.norm(TEMPLATE[1] - TEMPLATE[0]))
"""Width of the mouth by the distance of the eyes, 0.83 in the ArcFace template."""

BOX_WIDTH, BOX_HEIGHT, BOX_SHIFT = 0.85, 1.14, -0.04
"""MTCNN's box in sides of BlazeFace's square, and how far below its centre (negative: above). Means of 147 faces that
facenet-pytorch's MTCNN and the full range found; standard deviations 0.07, 0.07 and 0.04. Framed so,
the intersection over union of the two rises from 0.72 to 0.81."""


class _Options(BaseOptions):  # type: ignore[misc]
    """Options under which MediaPipe's usage metrics do not leave the machine.

    mediapipe 1.2 posts task, version and latencies to play.googleapis.com every minute and has no
    switch for it. With no certificate to trust, its client hangs up before it has sent any. It still
    looks up and calls that host: where even that is too much, block it, or set https_proxy to nowhere.
    """

    def to_ctypes(self) -> MpBaseOptionsC:
        options = super().to_ctypes()
        options.ca_bundle_path = os.devnull.encode()
        return options


class BlazeFace(Detector):
    """BlazeFace with a second look at each candidate.

    The network sees a photo at 192x192 (short range: 128x128), where the faces of a group are a few
    pixels wide: scores are low and landmarks wrong by a tenth of the face. So each candidate is
    looked at again in a cut-out of its surroundings, and that look decides whether it is a face,
    and where its box and landmarks are. A face already as large as that in the photo needs no second
    look. Measured, full range, on 9 photos of 1 to 8 people and 118 portraits: one look at scores
    >= 0.5 misses one person and invents 3 faces on 205 pieces of background; two looks, none of
    either (both miss two blurred heads at the edges of a portrait).

    May be called from several threads: MediaPipe runs all calls on one thread of its own.

    Attributes:
        sure_score: see `models.detection.Detector`. Of 270 upright photos the face of 11 % scores less; of 210 upright
            faces that the full range found on their turned copies, where none is, 11 score as much.
    """

    sure_score = 0.7

    def __init__(self, path: Path, min_score: float = 0.5) -> None:
        """Load the exported network.

        Args:
            path: a TFLite file with metadata, as `models.architectures.blazeface` exports it.
            min_score: faces that score less are dropped; 0 to 1.

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
            raise ModelError(f"MediaPipe cannot load {path}, export it again: {error}") from error
        self._min_score = min_score

    def detect(self, pixels: Pixels) -> list[Face]:
        """The faces in uint8 (height, width, 3) RGB `pixels`, best score first.

        BlazeFace marks the middle of the mouth only: the corners are set on either side of it,
        parallel to the eyes, as far apart as in the ArcFace template.
        """
        looks = (self._second_look(pixels, candidate) for candidate in self._look(pixels))
        faces = [_framed(face) for face in looks if face is not None and face.score >= self._min_score]
        return sorted(faces, key=lambda face: face.score, reverse=True)

    def close(self) -> None:
        """Free the network. A detector left to the interpreter's shutdown makes MediaPipe print a traceback."""
        self._detector.close()

    def _second_look(self, pixels: Pixels, candidate: Face) -> Face | None:
        """The candidate as seen among its surroundings alone; None if it is not seen there."""
        left, top, right, bottom = candidate.box
        side = max(right - left, 1.0)
        reach = SURROUNDINGS * side / 2
        if 2 * reach >= max(pixels.shape[:2]):
            return candidate
        x, y = (left + right) / 2, (top + bottom) / 2
        x0, y0, x1, y1 = (max(round(edge), 0) for edge in (x - reach, y - reach, x + reach, y + reach))
        surroundings = pixels[y0:y1, x0:x1]
        if surroundings.size == 0:  # seen in the black beside a very long photo
            return None

        def distance(face: Face) -> float:
            return float(np.linalg.norm((face.landmarks - candidate.landmarks).mean(axis=0)))

        nearest = min(self._look(surroundings, x0, y0), key=distance, default=None)
        return nearest if nearest is not None and distance(nearest) < SAME_FACE * side else None

    def _look(self, pixels: Pixels, x0: int = 0, y0: int = 0) -> list[Face]:
        """What the network sees in `pixels`, whose corner is at `x0`, `y0` of the photo: BlazeFace's square boxes."""
        height, width = pixels.shape[:2]
        # A cut-out is a view, and MediaPipe reads on from the first pixel as if there were no gaps.
        image = Image(ImageFormat.SRGB, np.ascontiguousarray(pixels))
        faces = []
        for detection in self._detector.detect(image).detections:
            box = detection.bounding_box
            left, top = float(x0 + box.origin_x), float(y0 + box.origin_y)
            # The person's right eye comes first, which is the left one in the photo; the ears come last.
            points = [(x0 + point.x * width, y0 + point.y * height) for point in detection.keypoints[:4]]
            left_eye, right_eye, nose, mouth = np.array(points)
            half_mouth = MOUTH_PER_EYES / 2 * (right_eye - left_eye)
            landmarks = np.array([left_eye, right_eye, nose, mouth - half_mouth, mouth + half_mouth], np.float32)
            score = float(detection.categories[0].score)
            faces.append(Face((left, top, left + box.width, top + box.height), score, landmarks))
        return faces


def _framed(face: Face) -> Face:
    """The face in a box framed as MTCNN frames it, on whose crops embedders and liveness were measured."""
    left, top, right, bottom = face.box
    x, y = (left + right) / 2, (top + bottom) / 2 + BOX_SHIFT * (bottom - top)
    half_width, half_height = BOX_WIDTH / 2 * (right - left), BOX_HEIGHT / 2 * (bottom - top)
    return replace(face, box=(x - half_width, y - half_height, x + half_width, y + half_height))
