"""The contract of the face comparison service: POST /compare and POST /mediapipe."""

import time
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from api.contracts.responses import error_responses
from api.errors import contract_status
from api.images import from_base64
from api.parameters import CheckedRoute
from api.service import CurrentService, Service
from graphs.compare import distances
from graphs.stages import first_of
from graphs.thresholds import first_set
from graphs.verify import ComparedFace, Verification, naming, verify
from imaging.pick import PROMINENT
from models.tasks.embedder import EMBEDDER
from project.request_error import RequestError
from telemetry.request_record import count_match

router = APIRouter(tags=["compare"], route_class=CheckedRoute)
PATHS = ("compare", "mediapipe")

NAMES = ("image1", "image2")
THRESHOLD = 0.6
"""Minimum similarity of a match if the settings have none."""

EncodedPhoto = Annotated[str, Field(min_length=1, description="Base64 or a data URL.")]


class CompareRequest(BaseModel):
    """Two photos. The most prominent face of each is compared."""

    image1_base64: EncodedPhoto
    image2_base64: EncodedPhoto


class ImageMetrics(BaseModel):
    """The compared face of one photo. Coordinates are left, top, right and bottom in pixels."""

    face_detected: bool
    detection_time_ms: float
    face_coordinates: tuple[int, int, int, int]
    confidence_score: float


class EmbeddingStats(BaseModel):
    """Statistics of an embedding's numbers."""

    min: float
    max: float
    mean: float
    std: float


class EmbeddingMetrics(BaseModel):
    """One embedding. Both faces are embedded in one call, and `embedding_time_ms` is half of that call's duration."""

    embedding_time_ms: float
    embedding_dimension: int
    embedding_norm: float
    embedding_stats: EmbeddingStats


class ComparisonMetrics(BaseModel):
    """Similarity and distance of the two embeddings, which have length 1."""

    similarity_computation_time_ms: float
    cosine_similarity: float
    euclidean_distance: float
    threshold_used: float


class PairModels(BaseModel):
    """Catalogue names of the models that were used."""

    detector: str
    embedder: str


class CompareResponse(BaseModel):
    """Result of a comparison. `similarity` is the cosine; times are in milliseconds."""

    similarity: float
    match: bool
    total_processing_time_ms: float
    image1_metrics: ImageMetrics
    image2_metrics: ImageMetrics
    embedding1_metrics: EmbeddingMetrics
    embedding2_metrics: EmbeddingMetrics
    comparison_metrics: ComparisonMetrics
    models: PairModels


class CompareError(BaseModel):
    """Error of /compare and /mediapipe."""

    detail: str


RESPONSES = error_responses(CompareError, "The request is not valid, or a photo cannot be compared")


def error_answer(refused: RequestError, request_id: str) -> tuple[int, dict[str, Any]]:
    """Convert an error to FastAPI's format, which the replaced service used."""
    return contract_status(refused.code), {"detail": refused.message}


@router.post("/compare", responses=RESPONSES)
async def post_compare(service: CurrentService, body: CompareRequest) -> CompareResponse:
    """Compare the most prominent faces of two photos, found by MTCNN."""
    return await _compare("mtcnn", service, body)


@router.post("/mediapipe", responses=RESPONSES)
async def post_mediapipe(service: CurrentService, body: CompareRequest) -> CompareResponse:
    """Compare the most prominent faces of two photos, found by MediaPipe."""
    return await _compare("mediapipe", service, body)


async def _compare(role: str, service: Service, body: CompareRequest) -> CompareResponse:
    threshold = first_set(service.settings.similarity_threshold, THRESHOLD)
    detector = first_of(service.stages.detectors, role)
    embedder = first_of(service.stages.of(EMBEDDER.name), "inception_resnet_v1", "facenet")
    started = time.perf_counter()
    found = await verify(detector, embedder, (), _load(body, service), PROMINENT, naming(NAMES, PROMINENT))
    image1, image2 = (_image(face) for face in found.faces)
    embedding1, embedding2 = (_embedding(embedding, found.seconds / 2) for embedding in found.embeddings)
    compared = _comparison(found, threshold)
    return CompareResponse(
        similarity=compared.cosine_similarity,
        match=count_match(compared.cosine_similarity >= threshold),
        total_processing_time_ms=(time.perf_counter() - started) * 1000,
        image1_metrics=image1,
        image2_metrics=image2,
        embedding1_metrics=embedding1,
        embedding2_metrics=embedding2,
        comparison_metrics=compared,
        models=PairModels(detector=detector.card.name, embedder=embedder.card.name),
    )


def _load(body: CompareRequest, service: Service) -> tuple[bytes, bytes]:
    photos = []
    for name, field in zip(NAMES, (body.image1_base64, body.image2_base64), strict=True):
        try:
            photos.append(from_base64(field, service.limits.max_image_size))
        except RequestError as refused:
            raise RequestError(refused.code, f"{name}: {refused.message}") from None
    return photos[0], photos[1]


def _image(compared: ComparedFace) -> ImageMetrics:
    photo, face = compared.photo, compared.photo.faces[compared.index]
    left, top, right, bottom = (round(edge) for edge in face.box)
    return ImageMetrics(
        face_detected=True,
        detection_time_ms=photo.seconds * 1000,
        face_coordinates=(left, top, right, bottom),
        confidence_score=face.score,
    )


def _embedding(embedding: NDArray[np.float32], seconds: float) -> EmbeddingMetrics:
    return EmbeddingMetrics(
        embedding_time_ms=seconds * 1000,
        embedding_dimension=len(embedding),
        embedding_norm=float(np.linalg.norm(embedding)),
        embedding_stats=EmbeddingStats(
            min=float(embedding.min()),
            max=float(embedding.max()),
            mean=float(embedding.mean()),
            std=float(embedding.std()),
        ),
    )


def _comparison(found: Verification, threshold: float) -> ComparisonMetrics:
    # The flow has already compared the embeddings, but without timing. Comparing them again takes microseconds.
    started = time.perf_counter()
    measured = distances(*found.embeddings)
    return ComparisonMetrics(
        similarity_computation_time_ms=(time.perf_counter() - started) * 1000,
        cosine_similarity=measured.cosine,
        euclidean_distance=measured.euclidean,
        threshold_used=threshold,
    )
