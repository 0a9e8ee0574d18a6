"""Options of requests, sent as query parameters."""

import re
from collections.abc import Callable
from typing import Annotated, ClassVar, Literal

from fastapi import Path
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from api.service import Service
from gallery.metadata_format import MAX_BYTES, MAX_DEPTH
from gallery.records import COLLECTION_NAME, COLLECTION_NAME_RULE, MAX_FACES_PER_PHOTO, MAX_SUBJECT
from graphs.duplicates import DuplicatePolicy
from graphs.liveness import LivenessPolicy
from imaging.pick import MAX_FACES_ANSWERED, FaceRule, Pick


def _written(pattern: str, kind: str) -> Callable[[object], object]:
    """Return a validator that rejects text not matching `pattern`. Pydantic alone also accepts ``1_0`` and ``on``."""

    def check(given: object) -> object:
        if isinstance(given, str) and not re.fullmatch(pattern, given):
            raise PydanticCustomError("plainly_written", "Input should be {kind}", {"kind": kind})
        return given

    return check


# In `Annotated`, put bounds before IN_DIGITS and AS_NUMBER; otherwise OpenAPI lacks `minimum` and `maximum`.
IN_DIGITS = BeforeValidator(_written("-?[0-9]{1,100}", "a whole number in digits"))
AS_NUMBER = BeforeValidator(_written(r"-?[0-9]{1,20}([.][0-9]{1,20})?(e-?[0-9]{1,2})?", "a number such as 0.42"))
Truth = Annotated[bool, BeforeValidator(_written("(?i:true|false)", "true or false"))]

CollectionName = Annotated[
    str,
    Path(pattern=COLLECTION_NAME, description=f"{COLLECTION_NAME_RULE}."),
    BeforeValidator(_written(COLLECTION_NAME, COLLECTION_NAME_RULE)),
]
QueryThreshold = Annotated[
    Annotated[float, Field(ge=-1, le=1), AS_NUMBER] | None,
    Field(description="Minimum cosine similarity; see Thresholds."),
]
JsonThreshold = Annotated[
    float | None, Field(ge=-1, le=1, strict=True, description="Minimum cosine similarity; see Thresholds.")
]
"""A threshold in a JSON body, where `false` and "1" are not numbers."""

COMPARISON_THRESHOLD_TEXT = (
    "For cosine, the minimum similarity, -1 to 1; for euclidean, the maximum distance, 0 to 2. See Thresholds."
)


def _possible(threshold: float | None, info: ValidationInfo) -> float | None:
    """Reject thresholds that no similarity reaches or no distance goes below."""
    metric = info.data.get("metric")
    if threshold is not None and metric == "cosine" and threshold > 1:
        raise PydanticCustomError("impossible_threshold", "Input should be at most 1 for metric=cosine")
    if threshold is not None and metric == "euclidean" and threshold < 0:
        raise PydanticCustomError("impossible_threshold", "Input should be at least 0 for metric=euclidean")
    return threshold


POSSIBLE_IN_METRIC = AfterValidator(_possible)
"""Rejects a threshold that is impossible in the field ``metric``, which must come first."""


_MIN_MARGIN = "Minimum margin between the two most similar subjects; below it, there is no match. See Margins."
QueryMinMargin = Annotated[
    Annotated[float, Field(ge=0, le=2), AS_NUMBER] | None,
    Field(description=_MIN_MARGIN),
]
JsonMinMargin = Annotated[float | None, Field(ge=0, le=2, strict=True, description=_MIN_MARGIN)]

SUBJECT_ID = f"Any text of 1 to {MAX_SUBJECT} characters with at least one visible character."
METADATA = f"A JSON object of at most {MAX_BYTES} bytes as compact JSON and {MAX_DEPTH} levels; see Metadata."

EmbedderRole = Annotated[
    str | None, Field(description="Role of the embedder; by default `defaults.embedder` of GET /v1/models.")
]
Attributes = Annotated[
    str,
    Field(
        max_length=100,
        description="Attributes to return for each face, comma-separated: pose, eyes. See /v1/models.",
    ),
]


def _rules(every: str) -> str:
    """Describe the rules for which face counts; `every` describes the rule ``all``."""
    return (
        "one: a photo with several faces is rejected; prominent: the large and central face; largest: the largest "
        f"face; all: {every}. See Which face counts."
    )


DUPLICATE = (
    "What happens to a face that resembles another subject of the collection. refuse: it is not enrolled; report: it "
    "is enrolled, and `duplicate` names the subject; allow: faces are not checked. See Duplicates."
)
Crops = Annotated[Truth, Field(description="Whether to return the crop of each face that was embedded; see Crops.")]


class StageOptions(BaseModel):
    """Options that choose the detector and the liveness model."""

    model_config = ConfigDict(frozen=True)

    detector: str | None = Field(
        None, description="Role of the detector; by default `defaults.detector` of GET /v1/models."
    )
    liveness: LivenessPolicy = Field(
        "off",
        description="off: liveness is not checked; report: it is returned with each face; require: a spoof never "
        "matches and is not enrolled.",
    )
    liveness_network: str | None = Field(
        None, description="Role of the liveness model; by default `defaults.liveness` of GET /v1/models."
    )


class DetectOptions(StageOptions):
    """Options for detecting faces in a photo."""

    attributes: Attributes = ""
    faces: FaceRule = Field("all", description=_rules("every face"))
    max_faces: Annotated[int, Field(ge=1, le=MAX_FACES_ANSWERED), IN_DIGITS] = Field(
        MAX_FACES_ANSWERED,
        description="Maximum number of faces to return, best score first. faces_found counts the others too.",
    )


class EmbedOptions(DetectOptions):
    """Options for embedding the faces of a photo."""

    embedder: EmbedderRole = None
    crops: Crops = False


class VerifyOptions(StageOptions):
    """Options for comparing two photos."""

    embedder: EmbedderRole = None
    attributes: Attributes = ""
    metric: Literal["cosine", "euclidean"] = Field(
        "cosine", description="cosine: similarity, -1 to 1; euclidean: distance between embeddings of length 1, 0 to 2."
    )
    threshold: Annotated[Annotated[float, Field(ge=-1, le=2), AS_NUMBER] | None, POSSIBLE_IN_METRIC] = Field(
        None, description=COMPARISON_THRESHOLD_TEXT
    )
    faces: FaceRule = Field("prominent", description=_rules("the two most similar faces, one of each photo"))
    crops: Crops = False


class VerifyManyOptions(VerifyOptions):
    """Options for comparing one photo with several."""

    faces: FaceRule = Field(
        "prominent", description=_rules("the reference's prominent face, and the most similar face of each photo")
    )


class SearchOptions(DetectOptions):
    """Options for searching a collection with a photo."""

    top_k: Annotated[int, Field(ge=1, le=100), IN_DIGITS] = Field(
        5, description="Maximum number of candidates per face."
    )
    threshold: QueryThreshold = None
    min_margin: QueryMinMargin = None
    crops: Crops = False


class SubjectVerifyOptions(StageOptions):
    """Options for comparing a photo with an enrolled subject."""

    attributes: Attributes = ""
    threshold: QueryThreshold = None
    faces: FaceRule = Field("prominent", description=_rules("the face most similar to the subject"))
    crops: Crops = False


class EnrolOptions(StageOptions):
    """Options for enrolling photos."""

    # The quality gate uses every attribute that is configured.
    attributes: ClassVar[None] = None
    quality: Literal["report", "require"] = Field(
        "require",
        description="What happens to a face of poor quality. require: it is not enrolled; report: it is enrolled, and "
        "`reasons` lists the problems.",
    )
    faces: FaceRule = Field("one", description=_rules("each face is enrolled for the photo's subject"))
    duplicate: DuplicatePolicy = Field("allow", description=DUPLICATE)
    replace: Truth = Field(False, description="Whether to delete the subjects' earlier faces in the same commit.")


def pick_of(service: Service, rule: FaceRule, most: int = MAX_FACES_PER_PHOTO) -> Pick:
    """Return the `Pick` for `rule`, with at most `most` faces."""
    return Pick(rule, service.settings.other_faces, most)
