"""POST /v1/detect, /v1/embed, /v1/verify and /v1/compare: photos and embeddings, without a gallery."""

import time
from typing import Annotated, Literal, cast

import numpy as np
from fastapi import APIRouter, File, Query, Request, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from api.embeddings import Embedding, vector_of
from api.errors import ERRORS
from api.images import from_upload
from api.parameters import StrictRoute
from api.service import Service
from api.v1.crops import CroppedFace, encoded
from api.v1.options import (
    DetectOptions,
    EmbedOptions,
    VerifyOptions,
    detector_of,
    embedder_of,
    liveness_of,
    pick_of,
    threshold_of,
)
from api.v1.schemas import AppliedThreshold, FaceAnswer, FacesFound, Models, PhotoAnswer, Timings, example
from graphs.compare import Distances, distances
from graphs.extract import Look, look
from graphs.thresholds import Applied, Metric, applied
from graphs.verify import naming, verify
from imaging.refused import Refused
from telemetry.timing import matched

router = APIRouter(prefix="/v1", tags=["photos"], responses=ERRORS, route_class=StrictRoute)

PhotoFile = Annotated[UploadFile, File(description="A JPEG, PNG, WEBP, BMP, HEIC or AVIF file.")]


class ContractEmbedding(BaseModel):
    """An embedding, with what it may be compared with."""

    model_config = example(contract="499f2c0ac50eba0c", values=[0.0125, -0.0431, 0.0872])

    contract: str = Field(max_length=64, description="Of the network that gave it; see /v1/models.")
    values: Embedding


class EmbeddedFace(CroppedFace):
    """A face with its embedding."""

    model_config = example(CroppedFace, embedding=ContractEmbedding)

    embedding: ContractEmbedding


class DetectAnswer(BaseModel):
    """The faces of a photo that count, best score first."""

    model_config = example(photo=PhotoAnswer, faces_found=1, faces=[FaceAnswer], models=Models, timings_ms=Timings)

    photo: PhotoAnswer
    faces_found: FacesFound
    faces: list[FaceAnswer]
    models: Models
    timings_ms: Timings


class EmbedAnswer(BaseModel):
    """The same, with their embeddings, which have length 1."""

    model_config = example(photo=PhotoAnswer, faces_found=1, faces=[EmbeddedFace], models=Models, timings_ms=Timings)

    photo: PhotoAnswer
    faces_found: FacesFound
    faces: list[EmbeddedFace]
    models: Models
    timings_ms: Timings


class Comparison(BaseModel):
    """Two embeddings compared."""

    model_config = example(match=True, metric="cosine", value=0.71, cosine_similarity=0.71, threshold=AppliedThreshold)

    match: bool
    metric: Metric
    value: float = Field(description="Similarity or distance in that metric.")
    cosine_similarity: float
    threshold: AppliedThreshold


class VerifyAnswer(Comparison):
    """Two photos compared."""

    model_config = example(
        Comparison, faces_found=[1, 1], faces=[CroppedFace, CroppedFace], models=Models, timings_ms=Timings
    )

    faces_found: tuple[FacesFound, FacesFound]
    faces: tuple[CroppedFace, CroppedFace]
    models: Models
    timings_ms: Timings


class CompareEmbeddingsRequest(BaseModel):
    """Two embeddings of one contract."""

    model_config = ConfigDict(extra="forbid") | example(
        embedding1=ContractEmbedding, embedding2=ContractEmbedding, metric="cosine", threshold=0.4
    )

    embedding1: ContractEmbedding
    embedding2: ContractEmbedding
    metric: Metric = "cosine"
    threshold: float | None = Field(None, ge=-1, le=2, strict=True)


@router.post("/detect")
async def post_detect(request: Request, photo: PhotoFile, options: Annotated[DetectOptions, Query()]) -> DetectAnswer:
    """Find the faces of a photo, with their landmarks and quality, and whether they are alive."""
    service: Service = request.state.service
    seen, models, started = await _look(service, photo, options, None)
    return DetectAnswer(
        photo=PhotoAnswer.of(seen.photo),
        faces_found=seen.photo.found,
        faces=faces(service, seen),
        models=models,
        timings_ms=Timings.of([seen.photo], seen.readings.seconds, started),
    )


@router.post("/embed")
async def post_embed(request: Request, photo: PhotoFile, options: Annotated[EmbedOptions, Query()]) -> EmbedAnswer:
    """Find the faces of a photo and give an embedding of each."""
    service: Service = request.state.service
    seen, models, started = await _look(service, photo, options, options.embedder)
    contract = embedder_of(service, options.embedder).contract
    embeddings = seen.readings.embeddings
    embedded = [
        EmbeddedFace(**dict(face), embedding=ContractEmbedding.model_construct(contract=contract, values=values))
        for face, values in zip(
            await cropped(service, seen, options.crops), [] if embeddings is None else embeddings.tolist(), strict=True
        )
    ]
    return EmbedAnswer(
        photo=PhotoAnswer.of(seen.photo),
        faces_found=seen.photo.found,
        faces=embedded,
        models=models,
        timings_ms=Timings.of([seen.photo], seen.readings.seconds, started),
    )


@router.post("/verify")
async def post_verify(
    request: Request, photo1: PhotoFile, photo2: PhotoFile, options: Annotated[VerifyOptions, Query()]
) -> VerifyAnswer:
    """Compare a face of one photo with a face of another: the same person or not."""
    service: Service = request.state.service
    detector, embedder = detector_of(service, options.detector), embedder_of(service, options.embedder)
    liveness = liveness_of(service, options.liveness)
    started = time.perf_counter()
    pair = tuple([await from_upload(file, service.limits.max_image_size) for file in (photo1, photo2)])
    pick = pick_of(service, options.faces)
    check = naming(("photo1", "photo2"), pick)
    found = await verify(detector, liveness, embedder, cast(tuple[bytes, bytes], pair), pick, check)
    threshold = applied(options.threshold, None, threshold_of(service, options.embedder), options.metric)
    compared = _compared(found.distances, options.metric, threshold)
    live = found.live or (None, None)
    crops = await encoded(found.crops, options.crops, 2)
    if options.liveness == "require" and not all(map(service.policy.is_live, found.live)):
        compared.match = False
    matched(compared.match)
    answers = [
        CroppedFace(**dict(FaceAnswer.of(photo, photo.faces.index(face), score, service.policy)), crop=crop)
        for photo, face, score, crop in zip(found.photos, found.faces, live, crops, strict=True)
    ]
    return VerifyAnswer(
        **dict(compared),
        faces_found=(found.photos[0].found, found.photos[1].found),
        faces=(answers[0], answers[1]),
        models=Models.of(detector, liveness, embedder),
        timings_ms=Timings.of(found.photos, found.seconds, started),
    )


@router.post("/compare")
async def post_compare(request: Request, body: CompareEmbeddingsRequest) -> Comparison:
    """Compare two embeddings that /v1/embed gave."""
    service: Service = request.state.service
    first, second = body.embedding1, body.embedding2
    role = next((role for role, one in service.stages.embedders.items() if one.contract == first.contract), None)
    if role is None:
        raise Refused("EMBEDDING_CONTRACT_MISMATCH", "No network of this service gave embedding1")
    if second.contract != first.contract:
        raise Refused("EMBEDDING_CONTRACT_MISMATCH", "The two embeddings are of different networks")
    embedder = embedder_of(service, role)
    for each in (first, second):
        if len(each.values) != embedder.size:
            raise Refused(
                "INVALID_EMBEDDING", f"An embedding has {len(each.values)} numbers; its network gives {embedder.size}"
            )
    unit = [vector / np.linalg.norm(vector) for vector in (vector_of(first.values), vector_of(second.values))]
    threshold = applied(body.threshold, None, threshold_of(service, role), body.metric)
    compared = _compared(distances(*unit), body.metric, threshold)
    matched(compared.match)
    return compared


def faces(service: Service, seen: Look) -> list[FaceAnswer]:
    """The faces of a look at a photo, as they are answered."""
    live = seen.readings.live
    scores: list[float | None] = [None] * len(seen.photo.faces) if live is None else live.tolist()
    return [FaceAnswer.of(seen.photo, index, score, service.policy) for index, score in enumerate(scores)]


async def cropped(service: Service, seen: Look, wanted: bool) -> list[CroppedFace]:
    """The same of a look with an embedder, with the crops that it was given where they are `wanted`."""
    answers = faces(service, seen)
    crops = await encoded(seen.readings.crops, wanted, len(answers))
    return [CroppedFace(**dict(face), crop=crop) for face, crop in zip(answers, crops, strict=True)]


async def _look(
    service: Service, photo: UploadFile, options: DetectOptions, embedder: str | None
) -> tuple[Look, Models, float]:
    """What the networks say of a photo, their names, and when it began by `time.perf_counter`."""
    detector, liveness = detector_of(service, options.detector), liveness_of(service, options.liveness)
    network = embedder_of(service, embedder) if embedder else None
    started = time.perf_counter()
    data = await from_upload(photo, service.limits.max_image_size)
    seen = await look(detector, liveness, network, data, pick_of(service, options.faces, options.max_faces))
    return seen, Models.of(detector, liveness, network), started


def _compared(measured: Distances, metric: Literal["cosine", "euclidean"], threshold: Applied) -> Comparison:
    value = measured.cosine if metric == "cosine" else measured.euclidean
    return Comparison(
        match=value >= threshold.value if metric == "cosine" else value <= threshold.value,
        metric=metric,
        value=value,
        cosine_similarity=measured.cosine,
        threshold=AppliedThreshold(value=threshold.value, source=threshold.source),
    )
