"""The contract of the facematch service (seed 000): POST /match."""

import asyncio
import math
import time
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Request
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from api.errors import contract_status
from api.images import from_field
from api.parameters import CheckedRoute
from api.service import Service
from graphs.match import NAMES, match
from graphs.policy import Policy
from graphs.stages import first_of
from graphs.thresholds import first_set
from graphs.verify import Verification
from imaging.faces import Photo
from imaging.refused import Refused
from telemetry.timing import matched

router = APIRouter(tags=["match"], route_class=CheckedRoute)
PATHS = ("match",)

THRESHOLD = 0.6
"""The contract's own."""

Photo64 = Annotated[str, Field(min_length=1, description="An address, base64, or a data URL.")]


class MatchRequest(BaseModel):
    """Two photos of one face each."""

    image1: Photo64
    image2: Photo64
    threshold: float | None = Field(None, ge=0, le=1, description="Least similarity of a match; default 0.6.")


class LivenessResult(BaseModel):
    """Whether one face is alive."""

    success: bool
    is_live: bool
    liveness_score: float
    confidence: float


class DetectionResult(BaseModel):
    """What was found in one photo; the time is in seconds."""

    face_count: int
    confidence: float
    detection_time: float


class DistanceMetrics(BaseModel):
    """Between the two embeddings, which have length 1."""

    cosine_similarity: float
    cosine_distance: float
    euclidean_distance: float
    manhattan_distance: float


class EmbeddingQuality(BaseModel):
    """Of one embedding."""

    embedding_norm: float
    embedding_mean: float
    embedding_std: float


class EmbeddingQualities(BaseModel):
    """Of both embeddings."""

    face1_quality: EmbeddingQuality
    face2_quality: EmbeddingQuality


class RecognitionResults(BaseModel):
    """How alike the two faces are, in every metric."""

    distance_metrics: DistanceMetrics
    embedding_quality: EmbeddingQualities


class LivenessResults(BaseModel):
    """Of both photos."""

    image1: LivenessResult
    image2: LivenessResult


class DetectionResults(BaseModel):
    """Of both photos."""

    image1: DetectionResult
    image2: DetectionResult


class ModelNames(BaseModel):
    """The networks that gave this answer, by their names in the catalogue."""

    detector: str
    liveness: str
    embedder: str


class MatchResponse(BaseModel):
    """The comparison; times are in seconds."""

    success: bool
    match: bool
    similarity_score: float
    confidence: float
    threshold: float
    liveness_results: LivenessResults
    face_detection_results: DetectionResults
    recognition_results: RecognitionResults
    processing_time: float
    image_loading_time: float
    models: ModelNames


class ErrorResponse(BaseModel):
    """Why there is no comparison."""

    success: Literal[False]
    error: str


def error_answer(refused: Refused, request_id: str) -> tuple[int, dict[str, Any]]:
    """The contract knows 400 and 503; what else goes wrong keeps its own status."""
    return contract_status(refused.code), {"success": False, "error": refused.message}


@router.post(
    "/match",
    responses={
        400: {"model": ErrorResponse, "description": "A photo or the request is not fit to be compared"},
        413: {"model": ErrorResponse, "description": "The request is larger than two photos may be"},
        503: {"model": ErrorResponse, "description": "A stage is not available, or the time ran out"},
        "default": {"model": ErrorResponse, "description": "A fault of the service"},
    },
)
async def post_match(request: Request, body: MatchRequest) -> MatchResponse:
    """Compare two photos of one face each: the same person or not, and each of them live or a spoof."""
    service: Service = request.state.service
    policy, stages = service.policy, service.stages
    detector, liveness, embedder = (
        first_of(stages.detectors, "mtcnn"),
        first_of(stages.liveness, "crmnet"),
        first_of(stages.embedders, "arcface"),
    )
    started = time.perf_counter()
    pair = await _load(body, service)
    loaded = time.perf_counter()
    found = await match(detector, liveness, embedder, pair, policy)
    threshold = first_set(body.threshold, policy.similarity_threshold, THRESHOLD)
    live1, live2 = (_liveness(live, policy) for live in found.live)
    alive = live1.is_live and live2.is_live
    similarity = found.distances.cosine
    return MatchResponse(
        success=True,
        match=matched(similarity >= threshold and (alive or policy.liveness_policy == "report")),
        similarity_score=similarity,
        confidence=_confidence(similarity - threshold),
        threshold=threshold,
        liveness_results=LivenessResults(image1=live1, image2=live2),
        face_detection_results=DetectionResults(image1=_detection(found.photos[0]), image2=_detection(found.photos[1])),
        recognition_results=_recognition(found),
        processing_time=time.perf_counter() - started,
        image_loading_time=loaded - started,
        models=ModelNames(
            detector=detector.network.model, liveness=liveness.network.model, embedder=embedder.network.model
        ),
    )


async def _load(body: MatchRequest, service: Service) -> tuple[bytes, bytes]:
    """Both photos, side by side where they are fetched; of two that cannot be loaded the first is named."""
    first, second = await asyncio.gather(
        from_field(body.image1, service), from_field(body.image2, service), return_exceptions=True
    )
    return _loaded(NAMES[0], first), _loaded(NAMES[1], second)


def _loaded(name: str, photo: bytes | BaseException) -> bytes:
    if isinstance(photo, Refused):
        raise Refused(photo.code, f"{name} could not be loaded: {photo.message}")
    if isinstance(photo, BaseException):
        raise photo
    return photo


def _confidence(margin: float) -> float:
    """Confidence in a verdict from the similarity's distance to the threshold: 0.5 at it, towards 1 away from it.

    A logistic curve of slope 9, by which the contract's example (0.87 against 0.6) has its 0.92.
    """
    return 1 / (1 + math.exp(-9 * abs(margin)))


def _liveness(live: float, policy: Policy) -> LivenessResult:
    # The score is a probability already: confidence is that of the more likely verdict.
    return LivenessResult(
        success=True, is_live=policy.is_live(live), liveness_score=live, confidence=max(live, 1 - live)
    )


def _detection(photo: Photo) -> DetectionResult:
    return DetectionResult(face_count=photo.found, confidence=photo.faces[0].score, detection_time=photo.seconds)


def _recognition(found: Verification) -> RecognitionResults:
    measured = found.distances
    first, second = (_embedding_quality(embedding) for embedding in found.embeddings)
    return RecognitionResults(
        distance_metrics=DistanceMetrics(
            cosine_similarity=measured.cosine,
            cosine_distance=1 - measured.cosine,
            euclidean_distance=measured.euclidean,
            manhattan_distance=measured.manhattan,
        ),
        embedding_quality=EmbeddingQualities(face1_quality=first, face2_quality=second),
    )


def _embedding_quality(embedding: NDArray[np.float32]) -> EmbeddingQuality:
    return EmbeddingQuality(
        embedding_norm=float(np.linalg.norm(embedding)),
        embedding_mean=float(embedding.mean()),
        embedding_std=float(embedding.std()),
    )
