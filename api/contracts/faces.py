"""The contract of the FaceNet service (seed 003): POST /detect-face, /extract-embedding and /compare-faces."""

from typing import Any, Literal

from fastapi import APIRouter, Request, UploadFile
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from api.embeddings import EmbeddingPair
from api.errors import contract_status
from api.images import from_upload
from api.padding import NetworkDimensions, answered_dimensions, padded, unpadded
from api.parameters import CheckedRoute
from api.service import Service
from graphs.compare import distances
from graphs.faces import embedding_of, faces_of
from graphs.stages import first_of
from imaging.pick import ALL_FACES, PROMINENT
from imaging.refused import Refused
from models.tasks.embedder import EMBEDDER
from telemetry.request_record import count_match

router = APIRouter(tags=["faces"], route_class=CheckedRoute)
PATHS = ("detect-face", "extract-embedding", "compare-faces")

ROLE = "facenet"
"""Role of the contract's embedder."""

MOST_DISTANCE = 1.0
LEAST_COSINE = 0.4
"""Two embeddings are of one person below this distance or above this cosine, as the contract has it."""


class FaceFound(BaseModel):
    """What was found in a photo; the confidence is that of the surest face."""

    face_detected: bool
    num_faces: int
    confidence: float
    message: str


class FaceError(BaseModel):
    """Why there is no answer."""

    error: str


class NoFaceFound(FaceFound, FaceError):
    """A photo without a face: the same words as an error and as an answer, for the contract can be read both ways."""

    face_detected: Literal[False] = False
    num_faces: Literal[0] = 0
    confidence: float = 0.0
    message: str = "No face detected"
    error: str = "No face detected"


class FaceEmbedding(BaseModel):
    """The embedding of a photo's most prominent face, of length 1."""

    embedding: list[float]
    dimensions: int
    network_dimensions: NetworkDimensions
    confidence: float
    model: str


class FaceComparison(BaseModel):
    """How alike two embeddings are; `similarity` is the cosine brought from -1..1 to 0..1."""

    similarity: float
    cosine_similarity: float
    euclidean_distance: float
    match: bool


RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"model": FaceError, "description": "The request is not valid, or no face was found"},
    413: {"model": FaceError, "description": "The request is larger than it may be"},
    503: {"model": FaceError, "description": "A stage is not available, or the time ran out"},
    "default": {"model": FaceError, "description": "A fault of the service"},
}


def error_answer(refused: Refused, request_id: str) -> tuple[int, dict[str, Any]]:
    """The contract knows 400 and 500; what else goes wrong keeps its own status."""
    message = refused.message
    # What is invalid about the one field of the forms is always that it holds no file.
    if refused.code == "INVALID_REQUEST" and message.startswith("image: "):
        message = "No image file provided"
    return contract_status(refused.code), {"error": message}


@router.post(
    "/detect-face",
    response_model=FaceFound,
    responses={**RESPONSES, 400: {**RESPONSES[400], "model": NoFaceFound | FaceError}},
)
async def post_detect_face(request: Request, image: UploadFile) -> FaceFound | JSONResponse:
    """Count the faces of a photo."""
    service: Service = request.state.service
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
async def post_extract_embedding(request: Request, image: UploadFile) -> FaceEmbedding:
    """Embed the most prominent face of a photo."""
    service: Service = request.state.service
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
async def post_compare_faces(request: Request, body: EmbeddingPair) -> FaceComparison:
    """Compare two embeddings of this service, padded with zeros or not."""
    measured = distances(*unpadded(request.state.service, ROLE, body))
    return FaceComparison(
        similarity=(measured.cosine + 1) / 2,
        cosine_similarity=measured.cosine,
        euclidean_distance=measured.euclidean,
        match=count_match(measured.euclidean < MOST_DISTANCE or measured.cosine > LEAST_COSINE),
    )
