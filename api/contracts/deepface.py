"""The contract of the DeepFace service: all paths under /api/v1/."""

import time
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from fastapi import APIRouter, Response
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from api.contracts.responses import error_responses
from api.embeddings import EmbeddingPair
from api.errors import GENERAL_STATUSES, contract_status
from api.health import VERSION
from api.images import from_base64
from api.padding import NetworkDimensions, answered_dimensions, padded, unpadded
from api.parameters import CheckedRoute
from api.service import CurrentService, Service
from graphs.compare import distances
from graphs.faces import embedding_of
from graphs.stages import DetectorStage, FaceCrops, FaceStage, embedding_kind, first_of
from graphs.thresholds import threshold_of
from imaging.faces import Face, Photo
from imaging.pick import Pick
from models.tasks.embedder import EMBEDDER
from project.request_error import RequestError
from telemetry.request_record import count_match

router = APIRouter(prefix="/api/v1", tags=["deepface"], route_class=CheckedRoute)
PATHS = ("api",)

ROLE = "arcface"
"""Role of the contract's embedder."""

DistanceMetric = Literal["cosine", "euclidean", "euclidean_l2"]

RELAXED = Pick("prominent", whole_photo=True)
"""The pick if `enforce_detection` is false."""

THRESHOLDS: dict[DistanceMetric, float] = {"cosine": 0.68, "euclidean": 4.15, "euclidean_l2": 1.13}
"""The contract's default thresholds. Two embeddings with a smaller distance are of the same person."""


class DeepfaceHealth(BaseModel):
    """Health of this contract's models."""

    status: Literal["healthy", "unhealthy"]
    model: str
    embedding_dimensions: int
    network_dimensions: NetworkDimensions
    model_loaded: bool
    version: str


class ExtractRequest(BaseModel):
    """A photo and options for choosing and cropping its face."""

    image: str = Field(
        min_length=1, description="A URL or base64, depending on image_type. Base64 can also be a data URL."
    )
    image_type: Literal["base64", "url"] = "base64"
    enforce_detection: bool = Field(
        True,
        strict=True,
        description="Whether to reject a photo without exactly one face. If false, the most prominent face is used, or "
        "the whole photo if there is no face.",
    )
    align: bool = Field(True, strict=True, description="Whether to rotate the face upright before embedding it.")


class FacialArea(BaseModel):
    """Box of the face in pixels, clipped to the photo."""

    x: int
    y: int
    w: int
    h: int


class ExtractResponse(BaseModel):
    """A face and its embedding, which has length 1. If the whole photo was used, face count and confidence are 0."""

    embedding: list[float]
    face_count: int
    face_confidence: float
    facial_area: FacialArea
    processing_time_ms: float
    detector: str
    model: str


class DistanceRequest(EmbeddingPair):
    """Two embeddings and options for comparing them."""

    threshold: float | None = Field(
        None,
        gt=0,
        strict=True,
        allow_inf_nan=False,
        description="Maximum distance of a match. Default: cosine 0.68, euclidean 4.15, euclidean_l2 1.13.",
    )
    distance_metric: DistanceMetric = Field(
        "cosine",
        description="With euclidean, send a threshold: embeddings of this service have length 1, so their distance "
        "never exceeds 2.",
    )


class DistanceResponse(BaseModel):
    """Result of a comparison. The confidence falls from 1 at distance 0 to 0 at the threshold."""

    is_same_person: bool
    distance: float
    similarity: float
    confidence: float
    threshold_used: float
    distance_metric: DistanceMetric


class WarmUpResponse(BaseModel):
    """Reports that the models are loaded. `load_time_seconds` is the time taken by this request."""

    status: Literal["loaded"]
    model: str
    load_time_seconds: float


class ModelInfo(BaseModel):
    """The models of this contract.

    `thresholds` has the contract's default maximum distance of a match for each metric. `cosine_threshold` is the
    default minimum cosine similarity of a match in /v1. Embeddings are comparable only if they have the same
    `embedding_contract`.
    """

    model: str
    title: str
    licence: str
    embedding_dimensions: int
    network_dimensions: NetworkDimensions
    embedding_contract: str
    cosine_threshold: float
    detector: str
    distance_metrics: list[DistanceMetric]
    thresholds: dict[DistanceMetric, float]


class DeepfaceProblem(BaseModel):
    """A stable code and a message."""

    code: str
    message: str


class DeepfaceError(BaseModel):
    """Error of this contract."""

    detail: DeepfaceProblem


CODES = GENERAL_STATUSES.keys() | {"NO_FACE_DETECTED", "MULTIPLE_FACES_DETECTED", "INVALID_IMAGE", "DOWNLOAD_FAILED"}
"""The contract's error codes, including those that all contracts share."""
_KNOWN_AS = {
    "IMAGE_TOO_LARGE": "INVALID_IMAGE",
    "IMAGE_TOO_COMPLEX": "INVALID_IMAGE",
    "URL_NOT_ALLOWED": "DOWNLOAD_FAILED",
}

RESPONSES = error_responses(DeepfaceError, "The request is not valid, or its photo cannot be used")


def error_answer(refused: RequestError, request_id: str) -> tuple[int, dict[str, Any]]:
    """Convert an error to FastAPI's format, with one of the contract's codes in its detail."""
    code = refused.code if refused.code in CODES else _KNOWN_AS.get(refused.code, "INVALID_REQUEST")
    return contract_status(refused.code), {"detail": {"code": code, "message": refused.message}}


@router.get("/health", responses={**RESPONSES, 503: {"model": DeepfaceHealth, "description": "A stage is not ready"}})
async def get_deepface_health(service: CurrentService, response: Response) -> DeepfaceHealth:
    """Report whether the detector and the embedder are ready. They are checked in the background."""
    detector, embedder = _stages(service)
    loaded = detector.ready() and embedder.ready()
    if not loaded:
        response.status_code = 503
    return DeepfaceHealth(
        status="healthy" if loaded else "unhealthy",
        model=embedder.card.name,
        embedding_dimensions=answered_dimensions(service, embedding_kind(embedder).size),
        network_dimensions=embedding_kind(embedder).size,
        model_loaded=loaded,
        version=VERSION,
    )


@router.post("/extract-embedding", responses=RESPONSES)
async def post_extract(service: CurrentService, body: ExtractRequest) -> ExtractResponse:
    """Embed the face of a photo."""
    detector, embedder = _stages(service)
    if not body.align:
        embedder = Unaligned(embedder)
    strict = Pick("one", service.settings.other_faces)
    started = time.perf_counter()
    data = await _load(body, service)
    pick = strict if body.enforce_detection else RELAXED
    photo, face, embedding = await embedding_of(detector, embedder, data, pick)
    return ExtractResponse(
        embedding=padded(service, embedding),
        face_count=photo.found,
        face_confidence=face.score,
        facial_area=_area(photo, face),
        processing_time_ms=(time.perf_counter() - started) * 1000,
        detector=detector.card.name,
        model=embedder.card.name,
    )


@router.post("/compare-faces", responses=RESPONSES)
async def post_distance(service: CurrentService, body: DistanceRequest) -> DistanceResponse:
    """Compare two embeddings created by this service, with or without padding."""
    threshold = THRESHOLDS[body.distance_metric] if body.threshold is None else body.threshold
    distance, similarity = _measured(body.distance_metric, *unpadded(service, ROLE, body))
    return DistanceResponse(
        is_same_person=count_match(distance < threshold),
        distance=distance,
        similarity=similarity,
        confidence=max(0.0, 1 - distance / threshold),
        threshold_used=threshold,
        distance_metric=body.distance_metric,
    )


@router.post("/warm-up", responses=RESPONSES)
async def post_warm_up(service: CurrentService) -> WarmUpResponse:
    """Report that the models are loaded; 503 if they are not. Each replica loads its model when it starts."""
    detector, embedder = _stages(service)
    started = time.perf_counter()
    if not (detector.ready() and embedder.ready()):
        raise RequestError("UNAVAILABLE", "The model is not loaded yet; try again shortly")
    return WarmUpResponse(status="loaded", model=embedder.card.name, load_time_seconds=time.perf_counter() - started)


@router.get("/model-info", responses=RESPONSES)
async def get_model_info(service: CurrentService) -> ModelInfo:
    """Describe the models and how to compare their embeddings."""
    detector, embedder = _stages(service)
    card, kind = embedder.card, embedding_kind(embedder)
    return ModelInfo(
        model=card.name,
        title=card.title,
        licence=card.licence,
        embedding_dimensions=answered_dimensions(service, kind.size),
        network_dimensions=kind.size,
        embedding_contract=kind.contract,
        cosine_threshold=threshold_of(service.settings, embedder).value,
        detector=detector.card.name,
        distance_metrics=list(THRESHOLDS),
        thresholds=THRESHOLDS,
    )


class Unaligned:
    """An embedder whose crops are the boxes of faces, not rotated upright.

    Args:
        embedder: the embedder to call.
    """

    def __init__(self, embedder: FaceStage) -> None:
        crops = (replace(spec, fit="box") if spec.fit == "aligned" else spec for spec in embedder.card.crops)
        self.role, self.ready = embedder.role, embedder.ready
        self.card = embedder.card.model_copy(update={"crops": tuple(crops)})
        self._embedder = embedder

    async def ask(self, question: FaceCrops) -> NDArray[np.float32]:
        """Call the embedder."""
        return await self._embedder.ask(question)


def _stages(service: Service) -> tuple[DetectorStage, FaceStage]:
    stages = service.stages
    return first_of(stages.detectors, "retinaface", "mtcnn"), first_of(stages.of(EMBEDDER.name), ROLE)


async def _load(body: ExtractRequest, service: Service) -> bytes:
    if body.image_type == "url":
        return await service.downloads.fetch(body.image)
    return from_base64(body.image, service.limits.max_image_size)


def _area(photo: Photo, face: Face) -> FacialArea:
    left, top, right, bottom = (round(edge) for edge in face.box)
    x, y = min(max(left, 0), photo.width), min(max(top, 0), photo.height)
    return FacialArea(x=x, y=y, w=max(min(right, photo.width) - x, 0), h=max(min(bottom, photo.height) - y, 0))


def _measured(metric: DistanceMetric, first: NDArray[np.float32], second: NDArray[np.float32]) -> tuple[float, float]:
    """Return the distance of two embeddings, float32 (size) each, and the corresponding similarity."""
    measured = distances(first, second)
    if metric == "cosine":
        return 1 - measured.cosine, measured.cosine
    if metric == "euclidean":
        return measured.euclidean, 1 / (1 + measured.euclidean)
    unit1, unit2 = (vector / np.linalg.norm(vector.astype(np.float64)) for vector in (first, second))
    distance = float(np.linalg.norm(unit1 - unit2))
    # The cosine similarity of two vectors of length 1 at this distance.
    return distance, 1 - distance**2 / 2
