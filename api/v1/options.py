"""The options of a request, which stand in its address, and what they choose."""

import re
from collections.abc import Callable
from typing import Annotated, ClassVar, Literal

from fastapi import Path
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from api.service import Service
from gallery.records import MOST_FACES
from graphs.liveness import LivenessPolicy
from imaging.pick import MOST_FACES_ANSWERED, FaceRule, Pick


def _written(pattern: str, kind: str) -> Callable[[object], object]:
    """Refuses text of an address that is not written as `pattern` has it: pydantic takes ``1_0`` and ``on``, too."""

    def check(given: object) -> object:
        if isinstance(given, str) and not re.fullmatch(pattern, given):
            raise PydanticCustomError("plainly_written", "Input should be {kind}", {"kind": kind})
        return given

    return check


# Bounds stand before these two: after a validator the OpenAPI document would not have them in its own words.
IN_DIGITS = BeforeValidator(_written("-?[0-9]{1,9}", "a whole number in digits"))
AS_NUMBER = BeforeValidator(_written(r"-?[0-9]{1,20}([.][0-9]{1,20})?(e-?[0-9]{1,2})?", "a number"))
Truth = Annotated[bool, BeforeValidator(_written("(?i:true|false)", "true or false"))]

CollectionName = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="Letters, digits, dot, dash and underscore.")
]
Threshold = Annotated[
    Annotated[float, Field(ge=-1, le=1), AS_NUMBER] | None,
    Field(description="Least cosine similarity; see Thresholds."),
]
JsonThreshold = Annotated[
    float | None, Field(ge=-1, le=1, strict=True, description="Least cosine similarity; see Thresholds.")
]
"""The same in a body, where false is no 0 and "1" no 1."""

DetectorRole = Annotated[
    str | None, Field(description="Role of the detector; by default `defaults.detector` of GET /v1/models.")
]
EmbedderRole = Annotated[
    str | None, Field(description="Role of the embedder; by default `defaults.embedder` of GET /v1/models.")
]
LivenessRole = Annotated[
    str | None,
    Field(description="Role of the liveness network; by default `defaults.liveness` of GET /v1/models."),
]


Attributes = Annotated[
    str,
    Field(
        max_length=100,
        description="What else to read from each face, comma-separated: pose, eyes; see /v1/models.",
    ),
]


def _rules(every: str) -> str:
    """Description of the four rules for which face counts; `every` says what ``all`` does."""
    return (
        "one: a photo with several faces is refused; prominent: the large and central face; largest: the largest face; "
        f"all: {every}. See Which face counts."
    )


Crops = Annotated[
    Truth, Field(description="Whether each face is answered with the crop that the embedder was given; see Crops.")
]


class DetectOptions(BaseModel):
    """How a photo is examined."""

    model_config = ConfigDict(frozen=True)

    detector: DetectorRole = None
    liveness: LivenessPolicy = Field(
        "off", description="off: not asked; report: stands beside the answer; require: a spoof is never a match."
    )
    liveness_network: LivenessRole = None
    attributes: Attributes = ""
    faces: FaceRule = Field("all", description=_rules("every face"))
    max_faces: Annotated[int, Field(ge=1, le=MOST_FACES_ANSWERED), IN_DIGITS] = Field(
        MOST_FACES_ANSWERED,
        description="Largest number of faces in the answer, best score first; faces_found counts the others too.",
    )


class EmbedOptions(DetectOptions):
    """The same, with the choice of the embedder."""

    embedder: EmbedderRole = None
    crops: Crops = False


class VerifyOptions(BaseModel):
    """How two photos are compared."""

    model_config = ConfigDict(frozen=True)

    detector: DetectorRole = None
    embedder: EmbedderRole = None
    liveness: LivenessPolicy = Field("off", description="As on /v1/detect.")
    liveness_network: LivenessRole = None
    attributes: Attributes = ""
    metric: Literal["cosine", "euclidean"] = Field(
        "cosine", description="cosine: similarity, -1 to 1; euclidean: distance of embeddings of length 1, 0 to 2."
    )
    threshold: Annotated[float, Field(ge=-1, le=2), AS_NUMBER] | None = Field(
        None, description="Least similarity or greatest distance; see Thresholds."
    )
    faces: FaceRule = Field("prominent", description=_rules("the two most similar faces, one of each photo"))
    crops: Crops = False


class SearchOptions(DetectOptions):
    """How a gallery is searched with a photo."""

    top_k: Annotated[int, Field(ge=1, le=100), IN_DIGITS] = Field(
        5, description="Largest number of candidates per face."
    )
    threshold: Threshold = None
    crops: Crops = False


class EnrolOptions(BaseModel):
    """How photos are enrolled."""

    model_config = ConfigDict(frozen=True)

    detector: DetectorRole = None
    liveness: LivenessPolicy = Field("off", description="require: a spoof is not enrolled.")
    liveness_network: LivenessRole = None
    # The quality gate judges all that there are.
    attributes: ClassVar[None] = None
    quality: Literal["report", "require"] = Field("require", description="require: a poor face is not enrolled.")
    faces: FaceRule = Field("one", description=_rules("each face is enrolled for the photo's subject"))
    replace: Truth = Field(False, description="Whether the subjects' earlier faces are deleted in the same step.")


def pick_of(service: Service, rule: FaceRule, most: int = MOST_FACES) -> Pick:
    """Which faces of a photo count under `rule`, at most so many."""
    return Pick(rule, service.policy.other_faces, most)
