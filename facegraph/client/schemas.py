"""Types that several responses share."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

LivenessPolicy: TypeAlias = Literal["off", "report", "require"]
"""off: not measured. report: measured and reported. require: a spoof never matches and is not enrolled."""
FaceRule: TypeAlias = Literal["one", "largest", "prominent", "all"]
"""Which faces of a photo are used. one: reject a photo with several faces. largest: the largest face. prominent: the
large and central face. all: every face."""
Metric: TypeAlias = Literal["cosine", "euclidean"]
"""cosine: similarity from -1 to 1. euclidean: distance between unit-length embeddings, 0 to 2."""
Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Box:
    """A box in pixels of the upright photo. It may extend beyond the edges."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Landmarks:
    """x and y in pixels. Left and right are as seen when the face is upright."""

    left_eye: Point
    right_eye: Point
    nose: Point
    left_mouth: Point
    right_mouth: Point


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Measured on grey values from 0 to 255; for a face, on its own pixels scaled to 112x112."""

    brightness: float
    contrast: float
    sharpness: float


@dataclass(frozen=True, kw_only=True)
class Liveness:
    """Whether a face is live. The score is the live probability."""

    live: bool
    score: float
    threshold: float


@dataclass(frozen=True, kw_only=True)
class Crop:
    """The embedder's input: a square of `side` pixels as a PNG file."""

    side: int
    png: bytes


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Which way the head is turned, in degrees.

    Attributes:
        yaw: above 0 if the face looks towards the left edge of the photo.
        pitch: above 0 if the face looks up.
        roll: above 0 if the head leans towards the right edge of the photo.
    """

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, kw_only=True)
class Eyes:
    """The probability that each eye is open. Left and right are as seen when the face is upright."""

    left_open: float
    right_open: float


@dataclass(frozen=True, kw_only=True)
class Face:
    """A detected face. `liveness`, `pose`, `eyes` and `crop` are None unless requested."""

    box: Box
    score: float
    landmarks: Landmarks
    quality: Quality
    liveness: Liveness | None
    pose: Pose | None = None
    eyes: Eyes | None = None
    crop: Crop | None = None


@dataclass(frozen=True, kw_only=True)
class Photo:
    """The photo after its EXIF orientation was applied."""

    width: int
    height: int
    quality: Quality


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why a photo was rejected, or a quality problem. docs/v1.md lists the codes."""

    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Models:
    """The models that produced the response, by their catalogue names; None for a stage that was not used."""

    detector: str | None = None
    liveness: str | None = None
    embedder: str | None = None
    pose: str | None = None
    eyes: str | None = None


@dataclass(frozen=True, kw_only=True)
class Timings:
    """Durations in milliseconds.

    Attributes:
        detection: work of the detector's replica, summed over the photos.
        networks: round trip of the networks after the detector, which run in parallel.
        total: from reading the photos to the response.
    """

    detection: float
    networks: float
    total: float


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """The threshold that was applied. `source` is where it was set: request, collection, configuration or card."""

    value: float
    source: str


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """An embedding of length 1. Only embeddings with the same contract can be compared.

    `values` may hold any numbers, such as numpy's; they are converted to float.
    """

    contract: str
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(map(float, self.values)))

    def as_json(self) -> dict[str, Any]:
        """The embedding as requests contain it."""
        return {"contract": self.contract, "values": self.values}


def given(arguments: Mapping[str, Any], names: Iterable[str] | None) -> dict[str, Any]:
    """The arguments called `names` that are not None, lists as comma-separated text.

    The service has defaults for the others.

    Args:
        arguments: values by name, such as `locals()`.
        names: such as a function's `__kwdefaults__`, which is None if the function has no keyword-only arguments.
    """
    values = {name: arguments[name] for name in names or () if arguments[name] is not None}
    return {name: ",".join(value) if isinstance(value, list | tuple) else value for name, value in values.items()}
