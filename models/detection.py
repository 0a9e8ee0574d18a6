"""From encoded photos to faces, quality and crops: all that a detector replica does."""

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
from imaging.refused import Refused

BORDERS = (0.2, 0.8)
"""Borders of the second and third look, as shares of the photo's longer side."""

UPRIGHT_ODDS = 1.6
"""How many times greater the odds of a face in the turned photo must be than those of an upright one in the photo as it
is, as nearly all photos are upright. With 1, BlazeFace laid 3 of 600 upright faces on their sides."""

MEASURED = CropSpec(112, "box")
"""The crop on which a face's quality is measured: of one size, so that sharpness does not depend on the photo's."""


class Detector(Protocol):
    """What every detector offers.

    Attributes:
        rival_score: once a face scores at least this, faces that score less are ignored, unless all faces count. False
            faces beside a real one mostly score less.
        sure_score: an upright picked face that scores at least this is what it seems; one that scores less may be a
            face on its side or its head, so that the photo is looked at turned as well.
    """

    rival_score: float = 0.0
    sure_score: float = 0.0

    def detect(self, pixels: NDArray[np.uint8]) -> list[Face]:
        """Find the faces in uint8 (height, width, 3) RGB `pixels`, best score first."""

    def find(self, pixels: NDArray[np.uint8], pick: Pick) -> list[Face]:
        """Find the faces that count. A detector that can save time by knowing which ones overrides this."""
        height, width = pixels.shape[:2]
        return pick.of(self.detect(pixels), width, height, self.rival_score)

    def close(self) -> None:
        """Free what the interpreter cannot free by itself as it ends."""
        return


class PhotoDetector:
    """Decodes photos, finds their faces, and cuts the crops that the rest of the graph asked for.

    Args:
        detector: the network and its post-processing.
        limits: of the decode gate.
    """

    def __init__(self, detector: Detector, limits: Limits) -> None:
        self._detector = detector
        self._limits = limits

    def __call__(self, photos: Sequence[bytes], crops: Sequence[CropSpec], pick: Pick = ALL_FACES) -> Detection:
        """Look at several photos, one after another, as `one` does."""
        return Detection.joined([self.one(data, crops, pick) for data in photos], crops)

    def one(self, data: bytes, crops: Sequence[CropSpec], pick: Pick = ALL_FACES) -> Detection:
        """Look at an encoded photo and cut each of `crops` from the faces that count.

        A photo that the gate refuses is answered by its `Refused`, so that others are not lost with it.
        """
        watch = _Stopwatch()
        started = watch.last
        try:
            image = decode(data, self._limits)
        except Refused as refused:
            watch.lap("decode")
            none = {spec: np.zeros((0, spec.size, spec.size, 3), dtype=np.uint8) for spec in crops}
            return Detection((refused,), none, dict(watch.steps))
        watch.lap("decode")
        found = self._look(image.pixels, pick)
        watch.lap("detect")
        faces = found[: pick.cut] if found or not pick.whole_photo else [_whole(image.pixels)]
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

    def _look(self, pixels: NDArray[np.uint8], pick: Pick) -> list[Face]:
        """Find the faces that count, whichever way up the photo is.

        Where no face is found, or the picked one is doubtful, the photo is looked at on its sides and its head as well.
        Detectors miss half of the faces that lie so. Of the others they often give an upright face with wrong
        landmarks, on whose crops embedders take different people for one; it scores less than an upright one.
        """
        faces, border = self._first_look(pixels, pick)
        if self._is_sure(faces):
            return faces
        for turns in (1, 2, 3):
            upright = turned(pixels, turns)
            height, width = upright.shape[:2]
            found = self._bordered_look(upright, border, pick)
            sure = self._is_sure(found)
            # Beside no face, a doubtful one in a turned photo is rather none.
            if _outdoes(found, faces) if faces else sure:
                faces = [face.turned(-turns, width, height) for face in found]
                if sure:
                    break
        return faces

    def _is_sure(self, faces: Sequence[Face]) -> bool:
        """Whether the picked face is upright beyond doubt."""
        return bool(faces) and faces[0].score >= self._detector.sure_score and not quarter_turns(faces[0].landmarks)

    def _first_look(self, pixels: NDArray[np.uint8], pick: Pick) -> tuple[list[Face], float]:
        """Find the faces that count, looking again with a black border around the photo while there seem to be none.

        Detectors miss a face that fills its photo to the edges, MTCNN by a little and BlazeFace by much:
        of 100 tight 100x100 crops of Labeled Faces in the Wild they find 47 and 2 at once, and 99 each
        with the borders.

        Returns:
            The faces, and the border that they were found with, as a share of the photo's longer side.
        """
        for share in (0.0, *BORDERS):
            if faces := self._bordered_look(pixels, share, pick):
                return faces, share
        return [], 0.0

    def _bordered_look(self, pixels: NDArray[np.uint8], share: float, pick: Pick) -> list[Face]:
        border = round(max(pixels.shape[:2]) * share)
        if not border:
            return self._detector.find(pixels, pick)
        bordered = cv2.copyMakeBorder(pixels, border, border, border, border, cv2.BORDER_CONSTANT)
        # No look costs more than one at a photo of the largest size.
        scale = min(1.0, self._limits.max_dimension / max(bordered.shape[:2]))
        looked_at = cv2.resize(bordered, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        found = self._detector.find(np.asarray(looked_at, dtype=np.uint8), pick)
        return [_shifted(face.scaled(1 / scale), -border) for face in found]


def _outdoes(found: Sequence[Face], faces: Sequence[Face]) -> bool:
    """Whether the picked face of a turned look is to be believed rather than that of `faces`, of another look."""
    if not found:
        return False
    odds, others = (each[0].score / max(1 - each[0].score, 1e-6) for each in (found, faces))
    return odds > others * (1 if quarter_turns(faces[0].landmarks) else UPRIGHT_ODDS)


class _Stopwatch:
    """Sums up seconds by step; `last` is when the last one ended, and the next one began."""

    def __init__(self) -> None:
        self.last = time.perf_counter()
        self.steps: defaultdict[str, float] = defaultdict(float)

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self.steps[step] += now - self.last
        self.last = now


def _whole(pixels: NDArray[np.uint8]) -> Face:
    """The whole photo as a face, with the landmarks where an aligned one would have them."""
    height, width = pixels.shape[:2]
    landmarks = TEMPLATE / TEMPLATE_SIZE * (width, height)
    return Face((0, 0, width, height), 0.0, landmarks.astype(np.float32))


def _shifted(face: Face, by: int) -> Face:
    left, top, right, bottom = face.box
    return replace(face, box=(left + by, top + by, right + by, bottom + by), landmarks=face.landmarks + np.float32(by))
