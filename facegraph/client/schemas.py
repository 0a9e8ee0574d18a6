"""What several answers have: faces, and the networks that looked at them."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

LivenessPolicy: TypeAlias = Literal["off", "report", "require"]
"""off: not asked; report: stands beside the answer; require: a spoof is never a match, and not enrolled."""
FaceRule: TypeAlias = Literal["one", "largest", "prominent", "all"]
"""Which faces of a photo count. one: a photo of several faces is refused; largest: the largest face; prominent: the
face that is largest and nearest the middle; all: every face."""
Metric: TypeAlias = Literal["cosine", "euclidean"]
"""cosine: similarity, -1 to 1; euclidean: distance of embeddings of length 1, 0 to 2."""
Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Box:
    """In pixels of the photo as it was sent; may reach beyond its edges."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Landmarks:
    """x and y in pixels; left and right as seen in the photo."""

    left_eye: Point
    right_eye: Point
    nose: Point
    left_mouth: Point
    right_mouth: Point


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Measured on grey values of 0 to 255; of a face on its own pixels, brought to 112x112."""

    brightness: float
    contrast: float
    sharpness: float


@dataclass(frozen=True, kw_only=True)
class Liveness:
    """Whether a face is alive: the score is the live probability."""

    live: bool
    score: float
    threshold: float


@dataclass(frozen=True, kw_only=True)
class Crop:
    """A face as the embedder sees it: a square of `side` pixels, as a PNG file's bytes."""

    side: int
    png: bytes


@dataclass(frozen=True, kw_only=True)
class Face:
    """A face that was found; `liveness` is None where it is off, and `crop` where none was asked for."""

    box: Box
    score: float
    landmarks: Landmarks
    quality: Quality
    liveness: Liveness | None
    crop: Crop | None = None


@dataclass(frozen=True, kw_only=True)
class Photo:
    """A photo as it was sent, upright."""

    width: int
    height: int
    quality: Quality


@dataclass(frozen=True, kw_only=True)
class Models:
    """The networks that gave the answer, by their names in the catalogue; None for those that were not asked."""

    detector: str | None = None
    liveness: str | None = None
    embedder: str | None = None


@dataclass(frozen=True, kw_only=True)
class Timings:
    """Where the time went, in milliseconds.

    Attributes:
        detection: work of the detector's replica; for two photos, the sum of both.
        networks: round trip of liveness and embedding, which run side by side.
        total: from reading the photos to the answer.
    """

    detection: float
    networks: float
    total: float


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """What decided, and who set it: the request, the collection, the configuration or the network's card."""

    value: float
    source: str


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """An embedding of length 1, and the contract of the network that gave it: only equal contracts compare.

    Numbers of any kind, such as numpy's, become floats.
    """

    contract: str
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(map(float, self.values)))

    def as_json(self) -> dict[str, Any]:
        """Its form in requests."""
        return {"contract": self.contract, "values": self.values}


def given(**options: Any) -> dict[str, Any]:
    """The options that are not None; the service has a default for each of the others."""
    return {name: value for name, value in options.items() if value is not None}
