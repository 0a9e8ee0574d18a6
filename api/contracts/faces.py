"""The contract of the FaceNet service: POST /detect-face, /extract-embedding and /compare-faces."""

from typing import Any, Literal

from fastapi import APIRouter, UploadFile
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from api.contracts.responses import error_responses
from api.embeddings import EmbeddingPair
from api.errors import contract_status
from api.images import from_upload
from api.padding import NetworkDimensions, answered_dimensions, padded, unpadded
from api.parameters import CheckedRoute
from api.service import CurrentService
from graphs.compare import distances
from graphs.faces import embedding_of, faces_of
from graphs.stages import first_of
from imaging.pick import ALL_FACES, PROMINENT
from models.tasks.embedder import EMBEDDER
from project.request_error import RequestError
from telemetry.request_record import count_match

router = APIRouter(tags=["faces"], route_class=CheckedRoute)
PATHS = ("detect-face", "extract-embedding", "compare-faces")

ROLE = "facenet"
"""Role of the contract's embedder."""

MAX_DISTANCE = 1.0
MIN_COSINE = 0.4
"""The contract's rule: a match has a distance below `MAX_DISTANCE` or a cosine similarity above `MIN_COSINE`."""


class FaceFound(BaseModel):
    """Faces of a photo. `confidence` is the highest of their scores."""

    face_detected: bool
    num_faces: int
    confidence: float
    message: str


class FaceError(BaseModel):
    """Error of this contract."""

    error: str


class NoFaceFound(FaceFound, FaceError):
    """A photo without a face. Has the fields of a result and of an error, because the contract allows both."""

    face_detected: Literal[False] = False
    num_faces: Literal[0] = 0
    confidence: float = 0.0
    message: str = "No face detected"
    error: str = "No face detected"


class FaceEmbedding(BaseModel):
    """The embedding of a photo's most prominent face. It has length 1."""

    embedding: list[float]
    dimensions: int
    network_dimensions: NetworkDimensions
    confidence: float
    model: str


class FaceComparison(BaseModel):
    """Result of a comparison. `similarity` is the cosine, scaled from -1..1 to 0..1."""

    similarity: float
    cosine_similarity: float
    euclidean_distance: float
    match: bool


RESPONSES = error_responses(FaceError, "The request is not valid, or no face was found")


def error_answer(refused: RequestError, request_id: str) -> tuple[int, dict[str, Any]]:
    """Convert an error. The contract defines the statuses 400 and 500; other errors keep their status."""
    message = refused.message
    # `image` is the only field of the forms, and it is invalid only if it is not a file.
    if refused.code == "INVALID_REQUEST" and message.startswith("image: "):
        message = "No image file provided"
    return contract_status(refused.code), {"error": message}


@router.post(
    "/detect-face",
    response_model=FaceFound,
    responses={**RESPONSES, 400: {**RESPONSES[400], "model": NoFaceFound | FaceError}},
)
async def post_detect_face(service: CurrentService, image: UploadFile) -> FaceFound | JSONResponse:
    """Count the faces of a photo."""
    detector = first_of(service.stages.detectors, "mtcnn")
    data = await from_upload(image, service.limits.max_image_size)
    found = (await faces_of(detector, data, ALL_FACES, ()))[0].photo
    if not found.faces:
        return JSONResponse(NoFaceFound().model_dump(), 400)
    count = found.found
    return FaceFound(
        face_detected=True, num_faces=count, confidence=found.faces[0].score, message=f"Found {count} face(s)"
    )


@router.post("/extract-embedding", responses=RESPONSES)
async def post_extract_embedding(service: CurrentService, image: UploadFile) -> FaceEmbedding:
    """Embed the most prominent face of a photo."""
    detector = first_of(service.stages.detectors, "mtcnn")
    embedder = first_of(service.stages.of(EMBEDDER.name), ROLE)
    data = await from_upload(image, service.limits.max_image_size)
    _, face, embedding = await embedding_of(detector, embedder, data, PROMINENT)
    return FaceEmbedding(
        embedding=padded(service, embedding),
        dimensions=answered_dimensions(service, len(embedding)),
        network_dimensions=len(embedding),
        confidence=face.score,
        model=embedder.card.name,
    )


@router.post("/compare-faces", responses=RESPONSES)
async def post_compare_faces(service: CurrentService, body: EmbeddingPair) -> FaceComparison:
    """Compare two embeddings created by this service, with or without padding."""
    measured = distances(*unpadded(service, ROLE, body))
    return FaceComparison(
        similarity=(measured.cosine + 1) / 2,
        cosine_similarity=measured.cosine,
        euclidean_distance=measured.euclidean,
        match=count_match(measured.euclidean < MAX_DISTANCE or measured.cosine > MIN_COSINE),
    )
