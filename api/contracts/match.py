"""The contract of the facematch service: POST /match."""

import asyncio
import math
import time
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from api.contracts.responses import error_responses
from api.errors import contract_status
from api.images import from_field
from api.parameters import CheckedRoute
from api.service import CurrentService, Service
from graphs.faces import the_face
from graphs.flow_settings import FlowSettings
from graphs.liveness import LivenessVerdict
from graphs.stages import first_of
from graphs.thresholds import first_set
from graphs.verify import Verification, verify
from imaging.faces import Photo
from imaging.pick import Pick
from models.tasks.embedder import EMBEDDER
from models.tasks.liveness import LIVENESS
from project.request_error import RequestError
from telemetry.request_record import count_match

router = APIRouter(tags=["match"], route_class=CheckedRoute)
PATHS = ("match",)

NAMES = ("Image1", "Image2")

THRESHOLD = 0.6
"""Minimum similarity of a match if neither the request nor the settings have one."""

PhotoField = Annotated[str, Field(min_length=1, description="A URL, a data URL, or base64.")]


class MatchRequest(BaseModel):
    """Two photos with one face each."""

    image1: PhotoField
    image2: PhotoField
    threshold: float | None = Field(None, ge=0, le=1, description="Minimum similarity of a match; 0.6 by default.")


class LivenessResult(BaseModel):
    """Liveness of one face."""

    success: bool
    is_live: bool
    liveness_score: float
    confidence: float


class DetectionResult(BaseModel):
    """Detected faces of one photo. The time is in seconds."""

    face_count: int
    confidence: float
    detection_time: float


class DistanceMetrics(BaseModel):
    """Similarity and distances of the two embeddings, which have length 1."""

    cosine_similarity: float
    cosine_distance: float
    euclidean_distance: float
    manhattan_distance: float


class EmbeddingQuality(BaseModel):
    """Statistics of one embedding."""

    embedding_norm: float
    embedding_mean: float
    embedding_std: float


class EmbeddingQualities(BaseModel):
    """Statistics of both embeddings."""

    face1_quality: EmbeddingQuality
    face2_quality: EmbeddingQuality


class RecognitionResults(BaseModel):
    """Similarity of the two faces."""

    distance_metrics: DistanceMetrics
    embedding_quality: EmbeddingQualities


class LivenessResults(BaseModel):
    """Liveness of both faces."""

    image1: LivenessResult
    image2: LivenessResult


class DetectionResults(BaseModel):
    """Detected faces of both photos."""

    image1: DetectionResult
    image2: DetectionResult


class ModelNames(BaseModel):
    """Catalogue names of the models that were used."""

    detector: str
    liveness: str
    embedder: str


class MatchResponse(BaseModel):
    """Result of a comparison. Times are in seconds."""

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
    """Error of /match."""

    success: Literal[False]
    error: str


def error_answer(refused: RequestError, request_id: str) -> tuple[int, dict[str, Any]]:
    """Convert an error. The contract defines the statuses 400 and 503; other errors keep their status."""
    return contract_status(refused.code), {"success": False, "error": refused.message}


@router.post(
    "/match", responses=error_responses(ErrorResponse, "The request is not valid, or a photo cannot be compared")
)
async def post_match(service: CurrentService, body: MatchRequest) -> MatchResponse:
    """Compare two photos with one face each, and check the liveness of both faces."""
    settings, stages = service.settings, service.stages
    detector = first_of(stages.detectors, "mtcnn")
    liveness = first_of(stages.of(LIVENESS.name), "crmnet")
    embedder = first_of(stages.of(EMBEDDER.name), "arcface")
    started = time.perf_counter()
    pair = await _load(body, service)
    loaded = time.perf_counter()
    pick, rule = Pick("one", settings.other_faces), settings.liveness(settings.liveness_policy)
    found = await verify(detector, embedder, [liveness], pair, pick, partial(_usable, settings, pick))
    threshold = first_set(body.threshold, settings.similarity_threshold, THRESHOLD)
    live1, live2 = (rule.judge(float(face.readings[liveness.role][0])) for face in found.faces)
    photo1, photo2 = (face.photo for face in found.faces)
    similarity = found.distances.cosine
    return MatchResponse(
        success=True,
        match=count_match(similarity >= threshold and not rule.refuses(live1.live, live2.live)),
        similarity_score=similarity,
        confidence=_confidence(similarity - threshold),
        threshold=threshold,
        liveness_results=LivenessResults(image1=_liveness(live1), image2=_liveness(live2)),
        face_detection_results=DetectionResults(image1=_detection(photo1), image2=_detection(photo2)),
        recognition_results=_recognition(found),
        processing_time=time.perf_counter() - started,
        image_loading_time=loaded - started,
        models=ModelNames(detector=detector.card.name, liveness=liveness.card.name, embedder=embedder.card.name),
    )


def _usable(settings: FlowSettings, pick: Pick, number: int, found: Photo | RequestError) -> Photo:
    """Return the photo if it can be compared; otherwise raise `RequestError` with the contract's message."""
    name = NAMES[number]
    if isinstance(found, RequestError):
        raise RequestError(found.code, f"{name} could not be loaded: {found.message}")
    if issue := _quality_issue(found, settings):
        raise RequestError("LOW_QUALITY", f"{name} quality issue: {issue}")
    try:
        the_face(found, pick)
    except RequestError as refused:
        raise RequestError(refused.code, f"{name} face detection failed: {refused.message}") from None
    return found


def _quality_issue(photo: Photo, settings: FlowSettings) -> str | None:
    """Return the first reason why `photo` is not good enough; None if it is."""
    quality, side = photo.quality, settings.min_side
    if photo.width < side or photo.height < side:
        return f"Image too small: {photo.width}x{photo.height}. Minimum size: {side}x{side}"
    if quality.brightness < settings.min_brightness:
        return f"Image too dark: brightness {quality.brightness:.1f}. Minimum: {settings.min_brightness:g}"
    if quality.brightness > settings.max_brightness:
        return f"Image too bright: brightness {quality.brightness:.1f}. Maximum: {settings.max_brightness:g}"
    if quality.contrast < settings.min_contrast:
        return f"Image contrast too low: {quality.contrast:.1f}. Minimum: {settings.min_contrast:g}"
    return None


async def _load(body: MatchRequest, service: Service) -> tuple[bytes, bytes]:
    """Load both photos concurrently. If neither can be loaded, the first photo's error is raised."""
    first, second = await asyncio.gather(
        from_field(body.image1, service), from_field(body.image2, service), return_exceptions=True
    )
    return _loaded(NAMES[0], first), _loaded(NAMES[1], second)


def _loaded(name: str, photo: bytes | BaseException) -> bytes:
    if isinstance(photo, RequestError):
        raise RequestError(photo.code, f"{name} could not be loaded: {photo.message}")
    if isinstance(photo, BaseException):
        raise photo
    return photo


def _confidence(margin: float) -> float:
    """Return the confidence in a verdict whose similarity is `margin` above or below the threshold: 0.5 to 1.

    A logistic function with slope 9, which reproduces the contract's example: 0.92 for a similarity of 0.87 and a
    threshold of 0.6.
    """
    return 1 / (1 + math.exp(-9 * abs(margin)))


def _liveness(verdict: LivenessVerdict) -> LivenessResult:
    # The score is a probability, so the confidence is the probability of the more likely verdict.
    score = verdict.score
    return LivenessResult(success=True, is_live=verdict.live, liveness_score=score, confidence=max(score, 1 - score))


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
