"""Enrol subjects in a collection with photos or existing embeddings."""

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Header, Query, Response, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from api.audit_ids import CurrentAuditIds
from api.embeddings import Embedding, vector_of
from api.errors import ERRORS
from api.parameters import StrictRoute
from api.service import CurrentKey, CurrentService, Service
from api.v1.chosen import ChosenStages, embedder_of
from api.v1.duplicates import DuplicateAnswer, may_name
from api.v1.examples import example
from api.v1.options import DUPLICATE, METADATA, CollectionName, EnrolOptions, pick_of
from api.v1.schemas import FaceAnswer, FacesFound, Models, ReasonAnswer
from gallery.metadata_format import parsed
from gallery.records import MAX_SUBJECT, Collection, Hit, Metadata, NewFace, subject_key
from gallery.subject_ids import refuse_blank
from graphs.duplicates import DuplicatePolicy, DuplicateRule, duplicate_error, duplicates
from graphs.enrol import EnrolmentOutcome, EnrolmentRules, PhotoToEnrol, enrol
from graphs.thresholds import threshold_of
from project.request_error import RequestError

router = APIRouter(prefix="/v1/collections/{collection}", tags=["enrolment"], responses=ERRORS, route_class=StrictRoute)

MAX_PHOTOS = 64
MAX_EMBEDDINGS = 1000

ID = f"Any text of 1 to {MAX_SUBJECT} characters with at least one visible character."

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="Repeating a request with the same key has no further effect; see Enrolling twice.",
    ),
]


class EnrolledPhoto(BaseModel):
    """Result for one photo, or for one of its faces with faces=all.

    `status` is one of:

    - ``enrolled``.
    - ``already``: the same photo of the same subject is already enrolled.
    - ``moved``: the same photo was enrolled for this subject, which was renamed or merged since; nothing changed.
    - ``deleted``: the request repeats an earlier one, and the face has been deleted since.
    - ``refused``: see `error`.
    """

    model_config = example(
        photo=0,
        label="jane.jpg",
        subject="jane.doe",
        status="enrolled",
        face_id="9e6380afc176e721c45c5467ddfd96ca",
        error=None,
        reasons=[],
        duplicate=None,
        faces_found=1,
        face=FaceAnswer,
    )

    photo: int = Field(description="Index of the photo in the request, from 0.")
    label: str
    subject: str
    status: Literal["enrolled", "already", "moved", "deleted", "refused"]
    face_id: str | None
    error: ReasonAnswer | None
    reasons: list[ReasonAnswer] = Field(description="Every problem found, even if the face was enrolled.")
    duplicate: DuplicateAnswer | None = Field(
        description="The other subject that the face resembles; null without one, and with duplicate=allow."
    )
    faces_found: FacesFound
    face: FaceAnswer | None


class EnrolAnswer(BaseModel):
    """Results in request order: one per photo, or one per face with faces=all."""

    model_config = example(enrolled=1, already=0, moved=0, deleted=0, refused=0, photos=[EnrolledPhoto], models=Models)

    enrolled: int
    already: int
    moved: int
    deleted: int
    refused: int
    photos: list[EnrolledPhoto]
    models: Models


class SubjectEmbedding(BaseModel):
    """An embedding to enrol without a photo."""

    model_config = ConfigDict(extra="forbid") | example(
        subject="jane.doe", values=[0.0125, -0.0431, 0.0872], label="from the archive"
    )

    subject: str = Field(description=ID)
    values: Embedding
    label: str = Field("", max_length=255)


class EmbeddingsRequest(BaseModel):
    """Embeddings of one contract."""

    model_config = ConfigDict(extra="forbid") | example(
        contract="499f2c0ac50eba0c", embeddings=[SubjectEmbedding], duplicate="allow", replace=False
    )

    contract: str = Field(
        max_length=64, description="Contract of the model that created the embeddings; see /v1/models."
    )
    embeddings: list[SubjectEmbedding] = Field(min_length=1, max_length=MAX_EMBEDDINGS)
    duplicate: DuplicatePolicy = Field("allow", description=DUPLICATE)
    replace: bool = Field(False, strict=True)
    metadata: dict[str, Metadata] = Field(
        default_factory=dict, description="New metadata of subjects among the embeddings, by their ids. " + METADATA
    )


class EnrolledEmbedding(BaseModel):
    """Result for one embedding. `duplicate` is as for a photo."""

    model_config = example(
        subject="jane.doe", face_id="9e6380afc176e721c45c5467ddfd96ca", status="enrolled", duplicate=None
    )

    subject: str
    face_id: str
    status: Literal["enrolled", "already", "moved", "deleted"]
    duplicate: DuplicateAnswer | None


class EmbeddingsAnswer(BaseModel):
    """Results in request order."""

    model_config = example(enrolled=1, faces=[EnrolledEmbedding])

    enrolled: int
    faces: list[EnrolledEmbedding]


@router.post("/faces", responses={201: {"model": EnrolAnswer, "description": "At least one face is new"}})
async def post_faces(
    service: CurrentService,
    key: CurrentKey,
    audit: CurrentAuditIds,
    response: Response,
    collection: CollectionName,
    subject: Annotated[list[str], Form(description=f"One id for all photos, or one per photo in order. {ID}")],
    photo: Annotated[list[UploadFile], File(description=f"1 to {MAX_PHOTOS} photos.")],
    options: Annotated[EnrolOptions, Query()],
    metadata: Annotated[
        str | None, Form(description="New metadata of every subject with a face that is not refused. " + METADATA)
    ] = None,
    idempotency_key: IdempotencyKey = None,
) -> EnrolAnswer:
    """Enrol one face of each photo. A photo that cannot be enrolled is reported and does not affect the others.

    If no photo can be enrolled, the response is an error with the code of the first photo and all photos in `details`.
    """
    subjects = _subject_per_photo(subject, len(photo))
    audit.add(subjects)
    described = None if metadata is None else parsed(metadata)
    # A file name can decode to characters that UTF-8 cannot encode.
    labels = [(file.filename or "").encode("utf-8", "replace").decode()[:255] for file in photo]
    # One byte more than allowed is enough for the decode gate to reject a photo that is too large, while the others are
    # enrolled. The whole photo may not fit into a call to the detector.
    data = [await file.read(service.limits.max_image_size + 1) for file in photo]
    found = await service.stages.gallery.collection(collection)
    chosen, embedder = ChosenStages.of(service, options), embedder_of(service, found.kind.embedder)
    entries = [PhotoToEnrol(*entry) for entry in zip(subjects, labels, data, strict=True)]
    rules = EnrolmentRules(
        pick_of(service, options.faces),
        chosen.rule,
        service.settings,
        options.quality,
        _duplicate_rule(service, options.duplicate, found),
    )
    sent = [options.model_dump_json(), *subjects, *(hashlib.sha256(each).hexdigest() for each in data)]
    sent += [] if metadata is None else [metadata]
    outcomes = await enrol(
        chosen.detector,
        embedder,
        chosen.liveness,
        chosen.attributes,
        service.stages.gallery,
        collection,
        entries,
        rules,
        replace=options.replace,
        request=_request(idempotency_key, sent),
        metadata=described,
    )
    named = may_name(key)
    audit.add(outcome.duplicate.subject for outcome in outcomes if named and outcome.duplicate)
    answers = [_photo_answer(entries[outcome.number], outcome, named) for outcome in outcomes]
    counts = {status: sum(each.status == status for each in answers) for status in _STATUSES}
    if counts["refused"] == len(answers):
        first = answers[0].error
        assert first is not None
        raise RequestError(
            first.code, first.message, {"photos": [answer.model_dump(mode="json") for answer in answers]}
        )
    if counts["enrolled"]:
        response.status_code = 201
    return EnrolAnswer(**counts, photos=answers, models=chosen.models(embedder))


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
        raise RequestError("INVALID_REQUEST", "metadata has a subject without an embedding")
    gallery, found = service.stages.gallery, list[Hit | None]([None] * len(faces))
    if body.duplicate != "allow":
        rule = _duplicate_rule(service, body.duplicate, await gallery.collection(collection))
        found = await duplicates(gallery, collection, body.contract, faces, rule, replace=body.replace)
    named = may_name(key)
    audit.add(hit.subject for hit in found if named and hit)
    answers = [DuplicateAnswer.of(hit, named) if hit else None for hit in found]
    if body.duplicate == "refuse":
        _refuse_duplicates(found, answers)
    sent = [str(body.replace), *(face.id for face in faces)]
    sent += [json.dumps(body.metadata)] if body.metadata else []
    enrolled = await gallery.enrol(
        collection,
        body.contract,
        faces,
        replace=body.replace,
        request=_request(idempotency_key, sent),
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


_STATUSES = ("enrolled", "already", "moved", "deleted", "refused")


def _subject_per_photo(subjects: list[str], photos: int) -> list[str]:
    if photos > MAX_PHOTOS:
        raise RequestError("INVALID_REQUEST", f"There are {photos} photos; a request can have at most {MAX_PHOTOS}")
    for each in subjects:
        subject_key(each)
        refuse_blank(each)
    if len(subjects) == 1:
        return subjects * photos
    if len(subjects) != photos:
        raise RequestError(
            "INVALID_REQUEST", f"There are {len(subjects)} subjects for {photos} photos; send one, or one per photo"
        )
    return subjects


def _duplicate_rule(service: Service, policy: DuplicatePolicy, collection: Collection) -> DuplicateRule:
    embedder = embedder_of(service, collection.kind.embedder)
    return DuplicateRule(policy, threshold_of(service.settings, embedder, collection=collection.threshold).value)


def _refuse_duplicates(found: Sequence[Hit | None], answers: Sequence[DuplicateAnswer | None]) -> None:
    """Raise `RequestError` ``DUPLICATE_FACE`` with all duplicates in its details if there are any."""
    listed = [{"embedding": index} | answer.model_dump() for index, answer in enumerate(answers) if answer]
    for index, hit in enumerate(found):
        if hit:
            error = duplicate_error(hit)
            raise RequestError(error.code, f"embeddings.{index}: {error.message}", {"duplicates": listed})


def _request(key: str | None, sent: Sequence[str]) -> tuple[str, str] | None:
    """Return the idempotency key with a digest of the request; None without a key."""
    return None if key is None else (key, hashlib.sha256(json.dumps(sent).encode()).hexdigest())


def _photo_answer(entry: PhotoToEnrol, outcome: EnrolmentOutcome, named: bool) -> EnrolledPhoto:
    enrolled, face = outcome.enrolled, None
    if outcome.photo is not None and outcome.face is not None:
        face = FaceAnswer.of(outcome.photo, outcome.face, outcome.live, **outcome.attributes)
    return EnrolledPhoto(
        photo=outcome.number,
        label=entry.label,
        subject=entry.subject,
        status=enrolled.status if enrolled else "refused",
        face_id=enrolled.face_id if enrolled else None,
        error=outcome.refused,
        reasons=outcome.reasons,
        duplicate=DuplicateAnswer.of(outcome.duplicate, named) if outcome.duplicate else None,
        faces_found=outcome.photo.found if outcome.photo else 0,
        face=face,
    )
