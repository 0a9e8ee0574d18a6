"""Search a collection with a photo or an existing embedding."""

import time
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from api.audit_ids import CurrentAuditIds
from api.embeddings import vector_of
from api.errors import ERRORS
from api.images import from_upload
from api.parameters import StrictRoute
from api.service import CurrentService
from api.v1.chosen import ChosenStages, embedder_of
from api.v1.crops import CroppedFace
from api.v1.examples import example
from api.v1.options import CollectionName, JsonThreshold, SearchOptions, pick_of
from api.v1.photos import ContractEmbedding, PhotoFile
from api.v1.schemas import FacesFound, Models, PhotoAnswer, ThresholdAnswer, Timings
from gallery.records import Hit
from graphs.identify import identify
from graphs.thresholds import AppliedThreshold, threshold_of
from telemetry.request_record import count_match

router = APIRouter(
    prefix="/v1/collections/{collection}/search", tags=["search"], responses=ERRORS, route_class=StrictRoute
)


class Candidate(BaseModel):
    """A subject whose most similar face reaches the threshold."""

    model_config = example(subject="jane.doe", similarity=0.83, face_id="9e6380afc176e721c45c5467ddfd96ca")

    subject: str
    similarity: float = Field(description="Cosine similarity.")
    face_id: str


class SearchedFace(CroppedFace):
    """A face with its candidates, best first. Empty if liveness is required and the face is a spoof."""

    model_config = example(CroppedFace, candidates=[Candidate])

    candidates: list[Candidate]


class SearchAnswer(BaseModel):
    """Faces of a photo that count, best score first."""

    model_config = example(
        photo=PhotoAnswer,
        faces_found=1,
        faces=[SearchedFace],
        threshold=ThresholdAnswer,
        models=Models,
        timings_ms=Timings,
    )

    photo: PhotoAnswer
    faces_found: FacesFound
    faces: list[SearchedFace]
    threshold: ThresholdAnswer
    models: Models
    timings_ms: Timings


class EmbeddingSearchRequest(BaseModel):
    """An embedding to search with."""

    model_config = ConfigDict(extra="forbid") | example(embedding=ContractEmbedding, top_k=5, threshold=0.4)

    embedding: ContractEmbedding
    top_k: int = Field(5, ge=1, le=100, strict=True, description="Maximum number of candidates.")
    threshold: JsonThreshold = None


class EmbeddingSearchAnswer(BaseModel):
    """Candidates, best first."""

    model_config = example(candidates=[Candidate], threshold=ThresholdAnswer)

    candidates: list[Candidate]
    threshold: ThresholdAnswer


@router.post("")
async def post_search(
    service: CurrentService,
    audit: CurrentAuditIds,
    collection: CollectionName,
    photo: PhotoFile,
    options: Annotated[SearchOptions, Query()],
) -> SearchAnswer:
    """Find the subjects that resemble each face of a photo."""
    started = time.perf_counter()
    data = await from_upload(photo, service.limits.max_image_size)
    kind = (await service.stages.gallery.collection(collection)).kind
    chosen, embedder = ChosenStages.of(service, options), embedder_of(service, kind.embedder)
    pick = pick_of(service, options.faces, options.max_faces)
    examined, seconds, searched, hits = await identify(
        chosen.detector,
        embedder,
        chosen.networks,
        service.stages.gallery,
        collection,
        data,
        options.top_k,
        pick,
    )
    threshold = threshold_of(service.settings, embedder, request=options.threshold, collection=searched.threshold)
    answers = []
    for face, found in zip(await chosen.cropped(examined, options.crops), hits, strict=True):
        refused = chosen.refuses(face)
        answers.append(SearchedFace(**dict(face), candidates=_candidates([] if refused else found, threshold)))
    audit.add(candidate.subject for face in answers for candidate in face.candidates)
    return SearchAnswer(
        photo=examined.photo,
        faces_found=examined.photo.found,
        faces=answers,
        threshold=threshold,
        models=chosen.models(embedder),
        timings_ms=Timings.of([examined.photo], seconds, started),
    )


@router.post("/embedding")
async def post_search_embedding(
    service: CurrentService, audit: CurrentAuditIds, collection: CollectionName, body: EmbeddingSearchRequest
) -> EmbeddingSearchAnswer:
    """Find the subjects that resemble an embedding."""
    searched, [hits] = await service.stages.gallery.find(
        collection, body.embedding.contract, [vector_of(body.embedding.values)], body.top_k
    )
    embedder = embedder_of(service, searched.kind.embedder)
    threshold = threshold_of(service.settings, embedder, request=body.threshold, collection=searched.threshold)
    candidates = _candidates(hits, threshold)
    audit.add(candidate.subject for candidate in candidates)
    return EmbeddingSearchAnswer(
        candidates=candidates,
        threshold=threshold,
    )


def _candidates(hits: list[Hit], threshold: AppliedThreshold) -> list[Candidate]:
    candidates = [
        Candidate(subject=hit.subject, similarity=hit.cosine, face_id=hit.face_id)
        for hit in hits
        if hit.cosine >= threshold.value
    ]
    count_match(bool(candidates))
    return candidates
