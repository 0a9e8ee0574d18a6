"""POST /v1/detect, /v1/embed, /v1/verify and /v1/compare."""

import time
from typing import Annotated

import numpy as np
from fastapi import APIRouter, File, Query, UploadFile
from pydantic import Field

from api.embeddings import Embedding, vector_of
from api.errors import ERRORS
from api.images import from_upload
from api.parameters import StrictRoute
from api.service import CurrentService
from api.v1.chosen import ChosenStages, embedder_of
from api.v1.crops import CroppedFace
from api.v1.examples import Answer, JsonBody, example
from api.v1.options import (
    COMPARISON_THRESHOLD_TEXT,
    POSSIBLE_IN_METRIC,
    DetectOptions,
    EmbedOptions,
    VerifyOptions,
    pick_of,
)
from api.v1.schemas import FaceAnswer, FacesAnswer, FacesFound, Models, ThresholdAnswer, Timings
from gallery.unit_vectors import normalised_rows
from graphs.compare import Distances, distances
from graphs.faces import faces_of
from graphs.thresholds import AppliedThreshold, ComparisonMetric, threshold_of
from graphs.verify import naming, verify
from models.tasks.embedder import EMBEDDER
from project.request_error import RequestError
from telemetry.request_record import count_match

router = APIRouter(prefix="/v1", tags=["photos"], responses=ERRORS, route_class=StrictRoute)

PhotoFile = Annotated[UploadFile, File(description="A JPEG, PNG, WEBP, BMP, HEIC or AVIF file.")]


class ContractEmbedding(Answer):
    """An embedding and its contract. Only embeddings of the same contract can be compared."""

    model_config = example(contract="499f2c0ac50eba0c", values=[0.0125, -0.0431, 0.0872])

    contract: str = Field(
        max_length=64, description="Contract of the model that created the embedding; see /v1/models."
    )
    values: Embedding


class EmbeddedFace(CroppedFace):
    """A face with its embedding."""

    embedding: ContractEmbedding


class DetectAnswer(FacesAnswer[FaceAnswer]):
    """The faces that count (see Which face counts), best score first."""


class EmbedAnswer(FacesAnswer[EmbeddedFace]):
    """The faces that count (see Which face counts), best score first, each with an embedding of length 1."""


class Comparison(Answer):
    """Result of a comparison."""

    model_config = example(match=True, metric="cosine", value=0.71, cosine_similarity=0.71)

    match: bool
    metric: ComparisonMetric
    value: float = Field(description="Similarity or distance in `metric`.")
    cosine_similarity: float
    threshold: ThresholdAnswer


class VerifyAnswer(Comparison):
    """Result of a comparison of two photos, with the compared face of each."""

    model_config = example(faces_found=[1, 1])

    faces_found: tuple[FacesFound, FacesFound]
    faces: tuple[CroppedFace, CroppedFace]
    models: Models
    timings_ms: Timings


class CompareEmbeddingsRequest(JsonBody):
    """Two embeddings of one contract."""

    model_config = example(metric="cosine", threshold=0.4)

    embedding1: ContractEmbedding
    embedding2: ContractEmbedding
    metric: ComparisonMetric = "cosine"
    threshold: Annotated[float | None, Field(ge=-1, le=2, strict=True), POSSIBLE_IN_METRIC] = Field(
        None, description=COMPARISON_THRESHOLD_TEXT
    )


@router.post("/detect")
async def post_detect(
    service: CurrentService, photo: PhotoFile, options: Annotated[DetectOptions, Query()]
) -> DetectAnswer:
    """Find the faces of a photo, with landmarks, quality and optionally liveness and attributes."""
    chosen = ChosenStages.of(service, options)
    started = time.perf_counter()
    data = await from_upload(photo, service.limits.max_image_size)
    pick = pick_of(service, options.faces, options.max_faces)
    examined, seconds = await faces_of(chosen.detector, data, pick, chosen.networks)
    return DetectAnswer(faces=chosen.faces(examined), **chosen.photo_fields(examined, seconds, started))


@router.post("/embed")
async def post_embed(
    service: CurrentService, photo: PhotoFile, options: Annotated[EmbedOptions, Query()]
) -> EmbedAnswer:
    """Find the faces of a photo and embed each."""
    chosen, embedder = ChosenStages.of(service, options), embedder_of(service, options.embedder)
    started = time.perf_counter()
    data = await from_upload(photo, service.limits.max_image_size)
    pick = pick_of(service, options.faces, options.max_faces)
    examined, seconds = await faces_of(chosen.detector, data, pick, [embedder, *chosen.networks], embedder)
    contract = embedder.card.embedding_contract
    embedded = [
        EmbeddedFace(**dict(face), embedding=ContractEmbedding.model_construct(contract=contract, values=values))
        for face, values in zip(
            await chosen.cropped(examined, options.crops), examined.readings[embedder.role].tolist(), strict=True
        )
    ]
    return EmbedAnswer(faces=embedded, **chosen.photo_fields(examined, seconds, started, embedder))


@router.post("/verify")
async def post_verify(
    service: CurrentService, photo1: PhotoFile, photo2: PhotoFile, options: Annotated[VerifyOptions, Query()]
) -> VerifyAnswer:
    """Decide whether a face of one photo and a face of another show the same person."""
    chosen, embedder = ChosenStages.of(service, options), embedder_of(service, options.embedder)
    started = time.perf_counter()
    most = service.limits.max_image_size
    pair = await from_upload(photo1, most, "photo1"), await from_upload(photo2, most, "photo2")
    pick = pick_of(service, options.faces)
    check = naming(("photo1", "photo2"), pick)
    found = await verify(chosen.detector, embedder, chosen.networks, pair, pick, check)
    threshold = threshold_of(service.settings, embedder, request=options.threshold, metric=options.metric)
    compared = comparison_of(found.distances, options.metric, threshold)
    faces = await chosen.compared(found.faces, options.crops)
    if chosen.refuses(*faces):
        compared.match = False
    count_match(compared.match)
    photos = [face.photo for face in found.faces]
    return VerifyAnswer(
        **dict(compared),
        faces_found=(photos[0].found, photos[1].found),
        faces=faces,
        models=chosen.models(embedder),
        timings_ms=Timings.of(photos, found.seconds, started),
    )


@router.post("/compare")
async def post_compare(service: CurrentService, body: CompareEmbeddingsRequest) -> Comparison:
    """Compare two embeddings returned by /v1/embed."""
    first, second = body.embedding1, body.embedding2
    embedders = service.stages.of(EMBEDDER.name).values()
    embedder = next((one for one in embedders if one.card.embedding_contract == first.contract), None)
    if embedder is None:
        raise RequestError("EMBEDDING_CONTRACT_MISMATCH", "embedding1 was not created by a model of this service")
    if second.contract != first.contract:
        raise RequestError("EMBEDDING_CONTRACT_MISMATCH", "The embeddings were created by different models")
    [size] = embedder.card.shape
    for each in (first, second):
        if len(each.values) != size:
            raise RequestError(
                "INVALID_EMBEDDING", f"Embeddings of this model have {size} numbers, not {len(each.values)}"
            )
    unit, _ = normalised_rows(np.stack([vector_of(first.values), vector_of(second.values)]))
    threshold = threshold_of(service.settings, embedder, request=body.threshold, metric=body.metric)
    compared = comparison_of(distances(*unit), body.metric, threshold)
    count_match(compared.match)
    return compared


def comparison_of(measured: Distances, metric: ComparisonMetric, threshold: AppliedThreshold) -> Comparison:
    """Decide whether two faces match by their similarity or distance."""
    value = measured.cosine if metric == "cosine" else measured.euclidean
    return Comparison(
        match=value >= threshold.value if metric == "cosine" else value <= threshold.value,
        metric=metric,
        value=value,
        cosine_similarity=measured.cosine,
        threshold=threshold,
    )
