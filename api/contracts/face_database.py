"""The contract of the face database service: add, match, list and delete faces.

The service's two variants have the same routes. ``model`` in the form or the query selects one: ``arcface`` (default)
or ``facenet``. Each variant has its own collection, ``faces-arcface`` or ``faces-facenet``.
"""

import time
from collections.abc import Awaitable
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from fastapi import APIRouter, File, Form, Query, UploadFile
from numpy.typing import NDArray
from pydantic import BaseModel

from api.audit_ids import CurrentAuditIds
from api.errors import contract_status
from api.health import iso
from api.images import from_upload
from api.parameters import CheckedRoute
from api.path_parameters import SubjectId
from api.service import CurrentService, Service
from gallery.records import Collection, NewFace
from gallery.subject_ids import refuse_blank
from graphs.faces import embedding_of
from graphs.stages import FaceStage, embedding_kind, first_of
from graphs.thresholds import first_set
from imaging.pick import PROMINENT
from models.tasks.embedder import EMBEDDER
from project.request_error import RequestError
from telemetry.request_record import count_match

Result = TypeVar("Result")

router = APIRouter(tags=["face database"], route_class=CheckedRoute)
PATHS = ("add_face", "match_face", "list_faces", "delete_face", "stats")

Variant = Literal["arcface", "facenet"]
THRESHOLDS: dict[Variant, float] = {"facenet": 0.7, "arcface": 0.75}
"""The contract's default thresholds."""
COLLECTIONS = frozenset(f"faces-{variant}" for variant in THRESHOLDS)
CONFIDENCES = ((0.9, "very_high"), (0.8, "high"), (0.7, "medium"))
"""Minimum similarity for each confidence. Below the last minimum, the confidence is ``low``."""

NOT_FOUND = "FACE_NOT_FOUND"
STARTED = time.monotonic()

ModelField = Annotated[str | None, Form(description="arcface (default) or facenet.")]
ModelQuery = Annotated[str | None, Query(alias="model", description="arcface (default) or facenet.")]
FileField = Annotated[UploadFile | str | None, File(description="A photo. The most prominent face is used.")]


class FaceDatabaseError(BaseModel):
    """Error of this contract."""

    detail: str


class AddedFace(BaseModel):
    """An added face. `total_faces` is returned by the arcface variant only."""

    message: str
    id: str
    embedding_size: int
    total_faces: int | None = None


class FaceMatch(BaseModel):
    """The best match. `confidence` and `processing_time_ms` are returned by the arcface variant only."""

    match_found: bool
    matched_id: str | None = None
    similarity_score: float
    threshold: float
    message: str | None = None
    confidence: str | None = None
    processing_time_ms: float | None = None


class ListedFace(BaseModel):
    """A face in the database."""

    id: str
    added_date: str


class FaceList(BaseModel):
    """All faces in the database."""

    total_faces: int
    faces: list[ListedFace]


class DeletedFace(BaseModel):
    """A deleted face and the number of remaining faces."""

    message: str
    deleted_id: str
    remaining_faces: int


class DatabaseStats(BaseModel):
    """Statistics of the database, with the model and dimension of the stored faces."""

    total_faces: int
    model: str
    embedding_dimension: int
    database_size_mb: float
    uptime_seconds: int
    last_updated: str | None


def error_answer(refused: RequestError, request_id: str) -> tuple[int, dict[str, Any]]:
    """Convert an error. The contract defines the statuses 400, 404 and 500; 500 includes photos without a face."""
    if refused.code == "NO_FACE_DETECTED":
        return 500, {"detail": "Face detection failed. Please ensure the image contains a clear face."}
    return 404 if refused.code == NOT_FOUND else contract_status(refused.code), {"detail": refused.message}


_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": FaceDatabaseError, "description": "The request or the photo is not valid"},
    404: {"model": FaceDatabaseError, "description": "No face has this id"},
    500: {"model": FaceDatabaseError, "description": "No face was detected, or an internal error occurred"},
    "default": {"model": FaceDatabaseError, "description": "Any other error"},
}


@router.post("/add_face", responses=_ERRORS, response_model_exclude_none=True)
async def post_add_face(
    service: CurrentService,
    audit: CurrentAuditIds,
    id: Annotated[str | None, Form(description="Unique id. An existing face with this id is replaced.")] = None,
    file: FileField = None,
    model: ModelField = None,
    model_query: ModelQuery = None,
) -> AddedFace:
    """Add a face to the database, or replace the face with the same id."""
    variant = _variant(model, model_query)
    if not id:
        raise RequestError("INVALID_REQUEST", "No id given")
    refuse_blank(id)
    audit.add([id], collection=_name(variant))
    data = await _photo(file, service)
    gallery, embedder = service.stages.gallery, _embedder(service, variant)
    embedding = await _embedding(service, embedder, data)
    collection = await _collection(service, variant)
    if collection is None:
        collection = await gallery.create(_name(variant), embedding_kind(embedder), None, exist_ok=True)
    await _check_room(service, collection, id)
    await gallery.enrol(
        collection.name, embedder.card.embedding_contract, [NewFace(id, "", "", embedding)], replace=True
    )
    total = await _ids(service, collection) if variant == "arcface" else None
    return AddedFace(message="Face added successfully", id=id, embedding_size=len(embedding), total_faces=total)


@router.post("/match_face", responses=_ERRORS, response_model_exclude_none=True)
async def post_match_face(
    service: CurrentService,
    audit: CurrentAuditIds,
    file: FileField = None,
    model: ModelField = None,
    model_query: ModelQuery = None,
) -> FaceMatch:
    """Find the face in the database that matches best."""
    started = time.perf_counter()
    variant = _variant(model, model_query)
    audit.add(collection=_name(variant))
    data = await _photo(file, service)
    embedder = _embedder(service, variant)
    embedding = await _embedding(service, embedder, data)
    subject, similarity, threshold = await _best(service, variant, embedder, embedding)
    match = count_match(subject is not None and similarity >= threshold)
    if subject is not None and match:
        audit.add([subject])
    answer = FaceMatch(
        match_found=match,
        matched_id=subject if match else None,
        similarity_score=similarity,
        threshold=threshold,
        message=None if match else "No face match found above threshold",
    )
    if variant == "arcface":
        answer.confidence = next((word for least, word in CONFIDENCES if similarity >= least), "low")
        answer.processing_time_ms = 1000 * (time.perf_counter() - started)
    return answer


@router.get("/list_faces", responses=_ERRORS)
async def get_list_faces(service: CurrentService, model: ModelQuery = None) -> FaceList:
    """List all faces in the database."""
    subjects = await _unless_missing(service.stages.gallery.subjects(_name(_variant(model)), "", None))
    faces = [ListedFace(id=each.id, added_date=iso(each.last_enrolled)) for each in subjects or ()]
    return FaceList(total_faces=len(faces), faces=faces)


@router.delete("/delete_face/{face_id:text}", responses=_ERRORS)
async def delete_face(
    service: CurrentService, audit: CurrentAuditIds, face_id: SubjectId, model: ModelQuery = None
) -> DeletedFace:
    """Delete a face from the database."""
    variant, gallery = _variant(model), service.stages.gallery
    audit.add([face_id], collection=_name(variant))
    collection = await _collection(service, variant)
    if collection is None or not await gallery.delete_subjects(collection.name, [face_id]):
        raise RequestError(NOT_FOUND, f"Face with ID '{face_id}' not found")
    return DeletedFace(
        message="Face deleted successfully", deleted_id=face_id, remaining_faces=await _ids(service, collection)
    )


@router.get("/stats", responses=_ERRORS)
async def get_stats(service: CurrentService, model: ModelQuery = None) -> DatabaseStats:
    """Report the size of the database and the model of its faces."""
    variant = _variant(model)
    found = await _unless_missing(service.stages.gallery.statistics(_name(variant)))
    collection, counted = found or (None, None)
    # After the configured model changes, stored faces still come from the old one.
    kind = collection.kind if collection else embedding_kind(_embedder(service, variant))
    return DatabaseStats(
        total_faces=counted.subjects if counted else 0,
        model=kind.model,
        embedding_dimension=kind.size,
        database_size_mb=round(counted.bytes / 1e6, 3) if counted else 0.0,
        uptime_seconds=int(time.monotonic() - STARTED),
        last_updated=iso(counted.changed) if counted else None,
    )


def _variant(*given: str | None) -> Variant:
    names = [each for each in given if each] or ["arcface"]
    if len(names) > 1:
        raise RequestError("INVALID_REQUEST", "model is in both the form and the query; send it once")
    name = names[0].lower()
    if name not in THRESHOLDS:
        raise RequestError("INVALID_REQUEST", f"model must be arcface or facenet, not {name}")
    return name


def _name(variant: Variant) -> str:
    return f"faces-{variant}"


async def _photo(file: UploadFile | str | None, service: Service) -> bytes:
    if file is None or isinstance(file, str):
        raise RequestError("INVALID_REQUEST", "No file uploaded")
    return await from_upload(file, service.limits.max_image_size)


async def _embedding(service: Service, embedder: FaceStage, data: bytes) -> NDArray[np.float32]:
    detector = first_of(service.stages.detectors, "mtcnn")
    return (await embedding_of(detector, embedder, data, PROMINENT))[2]


def _embedder(service: Service, variant: Variant) -> FaceStage:
    return first_of(service.stages.of(EMBEDDER.name), variant)


async def _collection(service: Service, variant: Variant) -> Collection | None:
    """Return the variant's collection. None before its first face is added."""
    return await _unless_missing(service.stages.gallery.collection(_name(variant)))


async def _unless_missing(asked: Awaitable[Result]) -> Result | None:
    """Return the gallery's answer. None if the collection does not exist."""
    try:
        return await asked
    except RequestError as refused:
        if refused.code != "COLLECTION_NOT_FOUND":
            raise
        return None


async def _ids(service: Service, collection: Collection) -> int:
    """Count the ids. The contract has one face per id, but /v1 can enrol several."""
    return (await service.stages.gallery.statistics(collection.name))[1].subjects


async def _check_room(service: Service, collection: Collection, subject: str) -> None:
    most = service.limits.max_faces
    if await _ids(service, collection) < most:
        return
    try:
        await service.stages.gallery.faces(collection, subject)
    except RequestError as refused:
        if refused.code != "SUBJECT_NOT_FOUND":
            raise
        raise RequestError("GALLERY_FULL", f"The database already has the maximum of {most} faces") from None


async def _best(
    service: Service, variant: Variant, embedder: FaceStage, embedding: NDArray[np.float32]
) -> tuple[str | None, float, float]:
    """Return the most similar subject (None if there are no faces), its similarity, and the threshold."""
    settings = service.settings
    configured = settings.arcface_threshold if variant == "arcface" else settings.similarity_threshold
    contract = embedder.card.embedding_contract
    found = await _unless_missing(service.stages.gallery.find(_name(variant), contract, [embedding], 1))
    own, hits = (found[0].threshold, found[1][0]) if found else (None, [])
    threshold = first_set(own, configured, THRESHOLDS[variant])
    return (hits[0].subject, hits[0].cosine, threshold) if hits else (None, 0.0, threshold)
