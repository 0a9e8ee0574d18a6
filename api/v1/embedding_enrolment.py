"""Enrol subjects in a collection with existing embeddings."""

import hashlib
import json
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import Field

from api.audit_ids import CurrentAuditIds
from api.embeddings import Embedding, vector_of
from api.errors import ERRORS
from api.parameters import StrictRoute
from api.service import CurrentKey, CurrentService
from api.v1.duplicates import DuplicateAnswer, duplicate_rule, may_name
from api.v1.examples import Answer, JsonBody, example
from api.v1.idempotency import IdempotencyKey, identified_request
from api.v1.options import DUPLICATE, METADATA, SUBJECT_ID, CollectionName
from gallery.records import Hit, Metadata, NewFace
from graphs.duplicates import DuplicatePolicy, duplicate_error, duplicates
from project.request_error import RequestError

router = APIRouter(prefix="/v1/collections/{collection}", tags=["enrolment"], responses=ERRORS, route_class=StrictRoute)

MAX_EMBEDDINGS = 1000


class SubjectEmbedding(JsonBody):
    """An embedding to enrol without a photo."""

    model_config = example(subject="jane.doe", values=[0.0125, -0.0431, 0.0872], label="from the archive")

    subject: str = Field(description=SUBJECT_ID)
    values: Embedding
    label: str = Field("", max_length=255)


class EmbeddingsRequest(JsonBody):
    """Embeddings of one contract."""

    model_config = example(contract="499f2c0ac50eba0c", duplicate="allow", replace=False)

    contract: str = Field(
        max_length=64, description="Contract of the model that created the embeddings; see /v1/models."
    )
    embeddings: list[SubjectEmbedding] = Field(min_length=1, max_length=MAX_EMBEDDINGS)
    duplicate: DuplicatePolicy = Field("allow", description=DUPLICATE)
    replace: bool = Field(False, strict=True)
    metadata: dict[str, Metadata] = Field(
        default_factory=dict,
        description="New metadata by subject id. Each subject must have an embedding in the request. " + METADATA,
    )


class EnrolledEmbedding(Answer):
    """Result for one embedding. `duplicate` is null if the embedding resembles no other subject or is not checked."""

    model_config = example(
        subject="jane.doe", face_id="9e6380afc176e721c45c5467ddfd96ca", status="enrolled", duplicate=None
    )

    subject: str
    face_id: str
    status: Literal["enrolled", "already", "moved", "deleted"]
    duplicate: DuplicateAnswer | None


class EmbeddingsAnswer(Answer):
    """Results in request order."""

    model_config = example(enrolled=1)

    enrolled: int
    faces: list[EnrolledEmbedding]


@router.post("/embeddings", responses={201: {"model": EmbeddingsAnswer, "description": "At least one face is new"}})
async def post_embeddings(
    service: CurrentService,
    key: CurrentKey,
    audit: CurrentAuditIds,
    response: Response,
    collection: CollectionName,
    body: EmbeddingsRequest,
    idempotency_key: IdempotencyKey = None,
) -> EmbeddingsAnswer:
    """Enrol existing embeddings: either all of them or none.

    With duplicate=refuse, `details` of the error lists the embeddings that resemble another subject.
    """
    audit.add(each.subject for each in body.embeddings)
    vectors = [vector_of(each.values) for each in body.embeddings]
    faces = [
        NewFace(each.subject, hashlib.sha256(vector.tobytes()).hexdigest(), each.label, vector)
        for each, vector in zip(body.embeddings, vectors, strict=True)
    ]
    if not body.metadata.keys() <= {face.subject for face in faces}:
        raise RequestError("INVALID_REQUEST", "metadata names a subject that has no embedding in the request")
    gallery, found = service.stages.gallery, list[Hit | None]([None] * len(faces))
    if body.duplicate != "allow":
        rule = duplicate_rule(service, body.duplicate, await gallery.collection(collection))
        found = await duplicates(gallery, collection, body.contract, faces, rule, replace=body.replace)
    named = may_name(key)
    audit.add(hit.subject for hit in found if named and hit)
    answers = [DuplicateAnswer.of(hit, named) if hit else None for hit in found]
    if body.duplicate == "refuse" and (first := next(filter(None, found), None)):
        error, index = duplicate_error(first), found.index(first)
        all_of_them = [{"embedding": number} | answer.model_dump() for number, answer in enumerate(answers) if answer]
        raise RequestError(error.code, f"embeddings.{index}: {error.message}", {"duplicates": all_of_them})
    sent = [str(body.replace), *(face.id for face in faces)]
    sent += [json.dumps(body.metadata)] if body.metadata else []
    enrolled = await gallery.enrol(
        collection,
        body.contract,
        faces,
        replace=body.replace,
        request=identified_request(idempotency_key, sent),
        metadata=body.metadata,
    )
    count = sum(each.status == "enrolled" for each in enrolled)
    if count:
        response.status_code = 201
    listed = [
        EnrolledEmbedding(subject=each.subject, face_id=each.face_id, status=each.status, duplicate=duplicate)
        for each, duplicate in zip(enrolled, answers, strict=True)
    ]
    return EmbeddingsAnswer(enrolled=count, faces=listed)
