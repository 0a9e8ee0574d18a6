"""Verify that a photo or an existing embedding shows an enrolled subject."""

import time
from typing import Annotated

from fastapi import APIRouter, Form, Query
from pydantic import Field

from api.audit_ids import CurrentAuditIds
from api.embeddings import vector_of
from api.errors import ERRORS
from api.images import from_upload
from api.parameters import StrictRoute
from api.service import CurrentService
from api.v1.chosen import ChosenStages, embedder_of
from api.v1.crops import CroppedFace
from api.v1.examples import Answer, JsonBody, example
from api.v1.options import CollectionName, JsonThreshold, SubjectVerifyOptions, pick_of
from api.v1.photos import ContractEmbedding, PhotoFile
from api.v1.schemas import FacesFound, Models, PhotoAnswer, ThresholdAnswer, Timings
from gallery.records import Hit
from graphs.thresholds import AppliedThreshold, threshold_of
from graphs.verify_subject import verify_subject
from telemetry.request_record import count_match

router = APIRouter(
    prefix="/v1/collections/{collection}/verify", tags=["search"], responses=ERRORS, route_class=StrictRoute
)


class SubjectMatch(Answer):
    """Whether a face matches a subject, and the subject's most similar face."""

    model_config = example(
        subject="jane.doe",
        match=True,
        similarity=0.83,
        face_id="9e6380afc176e721c45c5467ddfd96ca",
    )

    subject: str
    match: bool
    similarity: float = Field(description="Cosine similarity.")
    face_id: str
    threshold: ThresholdAnswer

    @classmethod
    def of(cls, hit: Hit, threshold: AppliedThreshold, refused: bool = False) -> "SubjectMatch":
        """Decide whether a hit is a match, and count the decision for the request's metrics.

        Args:
            refused: whether the face must not match because it is a spoof.
        """
        match = hit.cosine >= threshold.value and not refused
        count_match(match)
        return cls(subject=hit.subject, match=match, similarity=hit.cosine, face_id=hit.face_id, threshold=threshold)


class SubjectVerifyAnswer(SubjectMatch):
    """Result for a photo, with the compared face."""

    model_config = example(faces_found=1)

    photo: PhotoAnswer
    faces_found: FacesFound
    face: CroppedFace
    models: Models
    timings_ms: Timings


class EmbeddingVerifyRequest(JsonBody):
    """An embedding, and the subject to compare it with."""

    model_config = example(subject="jane.doe", threshold=0.4)

    subject: str
    embedding: ContractEmbedding
    threshold: JsonThreshold = None


@router.post("")
async def post_verify_subject(
    service: CurrentService,
    audit: CurrentAuditIds,
    collection: CollectionName,
    subject: Annotated[str, Form(description="Id of the subject.")],
    photo: PhotoFile,
    options: Annotated[SubjectVerifyOptions, Query()],
) -> SubjectVerifyAnswer:
    """Decide whether a photo shows an enrolled subject, by comparing it with the subject's most similar face."""
    started = time.perf_counter()
    audit.add([subject])
    data = await from_upload(photo, service.limits.max_image_size)
    gallery = service.stages.gallery
    kind = (await gallery.collection(collection)).kind
    chosen, embedder = ChosenStages.of(service, options), embedder_of(service, kind.embedder)
    pick = pick_of(service, options.faces)
    found = await verify_subject(chosen.detector, embedder, chosen.networks, gallery, collection, subject, data, pick)
    threshold = threshold_of(
        service.settings, embedder, request=options.threshold, collection=found.collection.threshold
    )
    examined = found.photo
    face = (await chosen.cropped(examined, options.crops))[found.row]
    return SubjectVerifyAnswer(
        **dict(SubjectMatch.of(found.hit, threshold, refused=chosen.refuses(face))),
        face=face,
        **chosen.photo_fields(examined, found.seconds, started, embedder),
    )


@router.post("/embedding")
async def post_verify_subject_embedding(
    service: CurrentService, audit: CurrentAuditIds, collection: CollectionName, body: EmbeddingVerifyRequest
) -> SubjectMatch:
    """Decide whether an embedding is of an enrolled subject, by comparing it with the subject's most similar face."""
    audit.add([body.subject])
    contract, probe = body.embedding.contract, vector_of(body.embedding.values)
    found, [hit] = await service.stages.gallery.closest_faces(collection, contract, body.subject, [probe])
    embedder = embedder_of(service, found.kind.embedder)
    threshold = threshold_of(service.settings, embedder, request=body.threshold, collection=found.threshold)
    return SubjectMatch.of(hit, threshold)
