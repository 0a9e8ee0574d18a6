"""Response models shared by several routes."""

import time
from collections.abc import Iterable
from typing import Annotated, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from api.v1.attributes import EyesAnswer, PoseAnswer
from api.v1.examples import Answer, example
from graphs.liveness import LivenessVerdict
from graphs.thresholds import ThresholdSource
from imaging.faces import Photo

Point = tuple[float, float]
FacesFound = Annotated[int, Field(description="Number of faces that count, including those not returned.")]


class BoxAnswer(Answer):
    """Box in pixels of the photo after its EXIF orientation is applied. May extend beyond the photo."""

    model_config = example(left=212.4, top=88.1, width=143.7, height=189.2)

    left: float
    top: float
    width: float
    height: float


class Landmarks(Answer):
    """Landmarks, as x and y in pixels, like the box. Left and right are as seen when the face is upright."""

    model_config = example(
        left_eye=[251.3, 160.2],
        right_eye=[318.9, 158.7],
        nose=[284.6, 199.5],
        left_mouth=[256.8, 234.1],
        right_mouth=[314.2, 233.0],
    )

    left_eye: Point
    right_eye: Point
    nose: Point
    left_mouth: Point
    right_mouth: Point


class QualityAnswer(Answer):
    """Quality of a photo or a face, measured on grey values from 0 to 255. Faces are scaled to 112x112 pixels."""

    model_config = example(brightness=127.4, contrast=52.8, sharpness=140.6)

    brightness: float
    contrast: float
    sharpness: float


class LivenessAnswer(Answer):
    """Liveness of a face. `score` is the live probability."""

    model_config = example(live=True, score=0.97, threshold=0.5)

    live: bool
    score: float
    threshold: float


class FaceAnswer(Answer):
    """A detected face."""

    model_config = example(score=0.999)

    box: BoxAnswer
    score: float
    landmarks: Landmarks
    quality: QualityAnswer
    liveness: LivenessAnswer | None = Field(description="null if liveness is off.")
    pose: PoseAnswer | None = Field(description="null unless `attributes` includes pose.")
    eyes: EyesAnswer | None = Field(description="null unless `attributes` includes eyes.")

    @classmethod
    def of(
        cls,
        photo: Photo,
        index: int,
        verdict: LivenessVerdict | None,
        pose: NDArray[np.float32] | None = None,
        eyes: NDArray[np.float32] | None = None,
    ) -> "FaceAnswer":
        """Describe one face of `photo`.

        Args:
            pose, eyes: outputs of the attribute models; None if not requested.
        """
        face = photo.faces[index]
        left, top, right, bottom = face.box
        return cls(
            box=BoxAnswer(left=left, top=top, width=right - left, height=bottom - top),
            score=face.score,
            landmarks=Landmarks(**dict(zip(Landmarks.model_fields, face.landmarks.tolist(), strict=True))),
            quality=photo.face_qualities[index],
            liveness=verdict,
            pose=None if pose is None else PoseAnswer.of(face, pose),
            eyes=None if eyes is None else EyesAnswer.of(eyes),
        )


AnsweredFace = TypeVar("AnsweredFace", bound=FaceAnswer)


class PhotoAnswer(Answer):
    """A photo, after its EXIF orientation is applied."""

    model_config = example(width=640, height=480)

    width: int
    height: int
    quality: QualityAnswer


class ReasonAnswer(Answer):
    """Why a face or a photo was rejected, or a problem that was only reported."""

    model_config = example(code="FACE_BLURRED", message="The face is blurred: sharpness 4")

    code: str
    message: str


class Models(Answer):
    """Catalogue names of the models that were used; null if a task was not run."""

    model_config = example(detector="mtcnn", liveness="fr-liveness", embedder="mobilefacenet", pose=None, eyes=None)

    detector: str | None = None
    liveness: str | None = None
    embedder: str | None = None
    pose: str | None = None
    eyes: str | None = None


class Timings(Answer):
    """Durations in milliseconds."""

    model_config = example(detection=21.4, networks=12.9, total=35.2)

    detection: float = Field(
        description="Decoding, detection and cropping in the detector's replica; summed over the photos."
    )
    networks: float = Field(description="Round trip of the models that run concurrently after detection.")
    total: float = Field(description="From reading the photos to building the response.")

    @classmethod
    def of(cls, photos: Iterable[Photo], networks: float, started: float) -> "Timings":
        """Build the timings. The total ends now.

        Args:
            photos: all photos of the request.
            networks: time spent waiting for the models after detection, in seconds.
            started: start of the request, from `time.perf_counter`.
        """
        return cls(
            detection=1000 * sum(photo.seconds for photo in photos),
            networks=1000 * networks,
            total=1000 * (time.perf_counter() - started),
        )


class FacesAnswer(Answer, Generic[AnsweredFace]):
    """The faces that count (see Which face counts), best score first."""

    model_config = example(faces_found=1)

    photo: PhotoAnswer
    faces_found: FacesFound
    faces: list[AnsweredFace]
    models: Models
    timings_ms: Timings


class ThresholdAnswer(Answer):
    """The applied threshold and where it was set."""

    model_config = example(value=0.42, source="card")

    value: float
    source: ThresholdSource
