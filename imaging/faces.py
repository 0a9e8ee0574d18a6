"""The faces that a detector finds in photos, as frozen records that are sent between the stages."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from imaging.crops import CropSpec
from imaging.geometry import Box, turned_box, turned_points
from imaging.quality import Quality
from project.request_error import RequestError

Pixels: TypeAlias = NDArray[np.uint8]
"""uint8 (height, width, 3), RGB."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face.

    Attributes:
        box: left, top, right and bottom in pixels of the photo; may extend beyond the photo.
        score: the detector's confidence, 0 to 1.
        landmarks: float32 (5, 2), x and y in pixels: left eye, right eye, nose tip, and left and right corner of the
            mouth. Left and right are as seen when the photo is rotated so that the face is upright.
    """

    box: Box
    score: float
    landmarks: NDArray[np.float32]

    @property
    def area(self) -> float:
        """Area of the box, in square pixels."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)

    @property
    def side(self) -> float:
        """Side of a square with the box's area, in pixels."""
        return math.sqrt(max(self.area, 0.0))

    def scaled(self, factor: float) -> "Face":
        """Return the face in a photo resized by `factor`."""
        left, top, right, bottom = self.box
        box = (left * factor, top * factor, right * factor, bottom * factor)
        return Face(box, self.score, (self.landmarks * factor).astype(np.float32))

    def turned(self, turns: int, width: int, height: int) -> "Face":
        """Return the face after `turns` counterclockwise quarter turns of its photo of `width` and `height`."""
        points = turned_points(self.landmarks, turns, width, height).astype(np.float32)
        return Face(turned_box(self.box, turns, width, height), self.score, points)


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A photo and its faces.

    Attributes:
        width, height: size of the photo as it was sent, in pixels, after its EXIF orientation is applied.
        quality: quality of the whole photo.
        faces: faces that count (`imaging.pick`), at most `Pick.cut`, in pixels of the photo as it was sent. The picked
            face, or else the one with the best score, is first.
        found: number of faces that count, including those not in `faces`.
        face_qualities: quality of each face, in the order of `faces`.
        seconds: time spent decoding, detecting and cropping.
    """

    width: int
    height: int
    quality: Quality
    faces: tuple[Face, ...]
    found: int
    face_qualities: tuple[Quality, ...]
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """The detector stage's result for the photos of one request.

    Attributes:
        photos: one entry per photo, in order; a `RequestError` if the photo could not be decoded.
        crops: crops by their spec, uint8 (faces, size, size, 3) RGB. The faces of all photos follow one another in the
            order of `photos`.
        steps: seconds by step, summed over all photos.
    """

    photos: tuple[Photo | RequestError, ...]
    crops: dict[CropSpec, Pixels]
    steps: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def joined(cls, detections: "Sequence[Detection]", specs: Sequence[CropSpec]) -> "Detection":
        """Concatenate `detections`, with the crops of `specs`."""
        steps = Counter[str]()
        for detection in detections:
            steps.update(detection.steps)
        none = {spec: np.zeros((0, spec.size, spec.size, 3), dtype=np.uint8) for spec in specs}
        crops = {spec: np.concatenate([none[spec], *(each.crops[spec] for each in detections)]) for spec in specs}
        return cls(tuple(photo for each in detections for photo in each.photos), crops, dict(steps))
