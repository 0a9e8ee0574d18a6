"""Decode photos, find faces, measure quality and cut crops. A detector replica does all of this."""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.crops import TEMPLATE, TEMPLATE_SIZE, CropSpec, cut, quarter_turns
from imaging.decode import Limits, decode
from imaging.faces import Detection, Face, Photo
from imaging.geometry import turned
from imaging.pick import ALL_FACES, Pick
from imaging.quality import measure
from project.request_error import RequestError

BORDERS = (0.2, 0.8)
"""Black borders added on the second and third attempt, as fractions of the photo's longer side."""

UPRIGHT_ODDS = 1.6
"""A face found in a rotated photo replaces an upright one only if its odds are this many times greater.

Nearly all photos are upright: with 1, BlazeFace reported 3 of 600 upright faces as rotated."""

MEASURED = CropSpec(112, "box")
"""Crop used to measure a face's quality. Its size is fixed, so that sharpness does not depend on the photo's size."""


class Detector(Protocol):
    """Finds faces in pixels.

    Attributes:
        rival_score: if a face scores at least this, faces that score less are ignored, unless all faces count. False
            detections mostly score less than real faces.
        sure_score: if the picked face is upright and scores at least this, it is accepted. Otherwise it may be
            sideways or upside down, and the photo is also searched rotated.
    """

    rival_score: float = 0.0
    sure_score: float = 0.0

    def detect(self, pixels: NDArray[np.uint8]) -> list[Face]:
        """Find the faces in uint8 (height, width, 3) RGB `pixels`, best score first."""

    def find(self, pixels: NDArray[np.uint8], pick: Pick) -> list[Face]:
        """Find the faces that count. Detectors override this if they can skip work for other faces."""
        height, width = pixels.shape[:2]
        return pick.of(self.detect(pixels), width, height, self.rival_score)

    def close(self) -> None:
        """Release resources that are not released when the interpreter exits."""
        return


def face_in(box: NDArray[np.float32], landmarks: NDArray[np.float32]) -> Face:
    """Return a face from its box and score, (5), and its landmarks, (5, 2)."""
    left, top, right, bottom, score = box.tolist()
    return Face((left, top, right, bottom), score, landmarks)


class PhotoDetector:
    """Decodes photos, finds their faces, and cuts crops of them.

    Args:
        detector: the network and its post-processing.
        limits: limits of the decode gate.
    """

    def __init__(self, detector: Detector, limits: Limits) -> None:
        self._detector = detector
        self._limits = limits

    def __call__(self, photos: Sequence[bytes], crops: Sequence[CropSpec], pick: Pick = ALL_FACES) -> Detection:
        """Process several photos one after another; see `one`."""
        return Detection.joined([self.one(data, crops, pick) for data in photos], crops)

    def one(self, data: bytes, crops: Sequence[CropSpec], pick: Pick = ALL_FACES) -> Detection:
        """Process one encoded photo and cut `crops` of the faces that count.

        If the decode gate rejects the photo, its `RequestError` is returned, so that the other photos are processed.
        """
        watch = _Stopwatch()
        started = watch.last
        try:
            image = decode(data, self._limits)
        except RequestError as refused:
            watch.lap("decode")
            none = {spec: np.zeros((0, spec.size, spec.size, 3), dtype=np.uint8) for spec in crops}
            return Detection((refused,), none, dict(watch.steps))
        watch.lap("decode")
        found = self._find_any_rotation(image.pixels, pick)
        watch.lap("detect")
        faces = found[: pick.cut] if found or not pick.whole_photo else [whole_photo(image.pixels)]
        boxes, points = [face.box for face in faces], [face.landmarks for face in faces]
        cuts = {spec: cut(image.pixels, boxes, points, spec) for spec in crops}
        measured = cut(image.pixels, boxes, points, MEASURED)
        watch.lap("crop")
        quality, face_qualities = measure(image.pixels), tuple(measure(part) for part in measured)
        watch.lap("measure")
        photo = Photo(
            width=image.width,
            height=image.height,
            quality=quality,
            faces=tuple(face.scaled(1 / image.scale) for face in faces),
            found=len(found),
            face_qualities=face_qualities,
            seconds=watch.last - started,
        )
        return Detection((photo,), cuts, dict(watch.steps))

    def _find_any_rotation(self, pixels: NDArray[np.uint8], pick: Pick) -> list[Face]:
        """Find the faces that count in a photo of any rotation.

        If no face is found, or the picked one is uncertain, the photo is also searched rotated by 90, 180 and 270
        degrees. Detectors miss half of the faces that are not upright. They often report the others as upright faces
        with wrong landmarks, and embedders confuse different people on such crops; these faces have lower scores.
        """
        faces, border = self._find_with_borders(pixels, pick)
        if self._is_sure(faces):
            return faces
        for turns in (1, 2, 3):
            upright = turned(pixels, turns)
            height, width = upright.shape[:2]
            found = self._find_with_border(upright, border, pick)
            sure = self._is_sure(found)
            # If the upright photo has no face, an uncertain one in a rotated photo is probably not a face. A sideways
            # face is replaced by a sure upright one even if that scores less, because its landmarks are less exact.
            if (sure and not _is_upright(faces)) or (faces and _more_likely(found, faces)):
                faces = [face.turned(-turns, width, height) for face in found]
                if sure:
                    break
        return faces

    def _is_sure(self, faces: Sequence[Face]) -> bool:
        """Return whether the picked face is upright and scores at least `sure_score`."""
        return _is_upright(faces) and faces[0].score >= self._detector.sure_score

    def _find_with_borders(self, pixels: NDArray[np.uint8], pick: Pick) -> tuple[list[Face], float]:
        """Find the faces that count. If there are none, search again with black borders around the photo.

        Detectors miss faces that fill the whole photo. Of 100 tight 100x100 crops of Labeled Faces in the Wild, MTCNN
        finds 47 and BlazeFace 2 without borders, and each finds 99 with borders.

        Returns:
            The faces, and the border with which they were found, as a fraction of the photo's longer side.
        """
        for share in (0.0, *BORDERS):
            if faces := self._find_with_border(pixels, share, pick):
                return faces, share
        return [], 0.0

    def _find_with_border(self, pixels: NDArray[np.uint8], share: float, pick: Pick) -> list[Face]:
        border = round(max(pixels.shape[:2]) * share)
        if not border:
            return self._detector.find(pixels, pick)
        bordered = cv2.copyMakeBorder(pixels, border, border, border, border, cv2.BORDER_CONSTANT)
        # A bordered photo is never larger than the largest photo that the gate lets through.
        scale = min(1.0, self._limits.max_dimension / max(bordered.shape[:2]))
        resized = cv2.resize(bordered, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        found = self._detector.find(np.asarray(resized, dtype=np.uint8), pick)
        return [_shifted(face.scaled(1 / scale), -border) for face in found]


def _is_upright(faces: Sequence[Face]) -> bool:
    """Return whether there is a face, and the picked one is neither sideways nor upside down."""
    return bool(faces) and quarter_turns(faces[0].landmarks) == 0


def _more_likely(found: Sequence[Face], faces: Sequence[Face]) -> bool:
    """Return whether the picked face of `found`, in a rotated photo, replaces that of `faces`."""
    if not found:
        return False
    odds, others = (each[0].score / max(1 - each[0].score, 1e-6) for each in (found, faces))
    return odds > others * (UPRIGHT_ODDS if _is_upright(faces) else 1)


class _Stopwatch:
    """Sums seconds by step. `last` is the end of the last step and the start of the next."""

    def __init__(self) -> None:
        self.last = time.perf_counter()
        self.steps: defaultdict[str, float] = defaultdict(float)

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self.steps[step] += now - self.last
        self.last = now


def whole_photo(pixels: NDArray[np.uint8]) -> Face:
    """Return the whole photo as a face, with the landmarks of an aligned face."""
    height, width = pixels.shape[:2]
    landmarks = TEMPLATE / TEMPLATE_SIZE * (width, height)
    return Face((0, 0, width, height), 0.0, landmarks.astype(np.float32))


def _shifted(face: Face, by: int) -> Face:
    left, top, right, bottom = face.box
    return replace(face, box=(left + by, top + by, right + by, bottom + by), landmarks=face.landmarks + np.float32(by))
