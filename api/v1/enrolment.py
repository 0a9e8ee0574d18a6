"""Enrolling subjects in a collection: with photos, or with embeddings that are there already."""

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Header, Query, Request, Response, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from api.audit_ids import add_audit_ids
from api.embeddings import Embedding, vector_of
from api.errors import ERRORS
from api.parameters import StrictRoute
from api.service import Service
from api.v1.chosen import ChosenStages, embedder_of
from api.v1.examples import example
from api.v1.options import CollectionName, EnrolOptions, pick_of
from api.v1.schemas import FaceAnswer, FacesFound, Models
from gallery.records import MAX_SUBJECT, Enrolled, NewFace, subject_key
from gallery.subject_ids import refuse_blank
from graphs.enrol import EnrolmentOutcome, EnrolmentRules, PhotoToEnrol, enrol
from imaging.refused import Refused

router = APIRouter(prefix="/v1/collections/{collection}", tags=["enrolment"], responses=ERRORS, route_class=StrictRoute)

MAX_PHOTOS = 64
MAX_EMBEDDINGS = 1000

ID = f"Any text of 1 to {MAX_SUBJECT} characters, at least one of them visible."

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="The same key with the same request again changes nothing; see Enrolling twice.",
    ),
]


class ReasonAnswer(BaseModel):
    """Why a photo was refused, or what speaks against it."""

    model_config = example(code="FACE_BLURRED", message="The face is blurred: sharpness 4")

    code: str
    message: str


class EnrolledPhoto(BaseModel):
    """Result for one photo, or for one of its faces with faces=all.

    status is ``enrolled``; ``already``: the same photo of the same subject was there before; ``deleted``:
    this request was sent before, and the face was deleted since; or ``refused``, with `error`.
    """

    model_config = example(
        photo=0,
        label="jane.jpg",
        subject="jane.doe",
        status="enrolled",
        face_id="9e6380afc176e721c45c5467ddfd96ca",
        error=None,
        reasons=[],
        faces_found=1,
        face=FaceAnswer,
    )

    photo: int = Field(description="Its place in the request, from 0.")
    label: str
    subject: str
    status: Literal["enrolled", "already", "deleted", "refused"]
    face_id: str | None
    error: ReasonAnswer | None
    reasons: list[ReasonAnswer] = Field(description="All that speaks against the face, even if it was enrolled.")
    faces_found: FacesFound
    face: FaceAnswer | None


class EnrolAnswer(BaseModel):
    """Results in request order: one per photo, or one per face with faces=all."""

    model_config = example(enrolled=1, already=0, deleted=0, refused=0, photos=[EnrolledPhoto], models=Models)

    enrolled: int
    already: int
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
        contract="499f2c0ac50eba0c", embeddings=[SubjectEmbedding], replace=False
    )

    contract: str = Field(max_length=64, description="Of the network that gave them; see /v1/models.")
    embeddings: list[SubjectEmbedding] = Field(min_length=1, max_length=MAX_EMBEDDINGS)
    replace: bool = Field(False, strict=True)


class EnrolledEmbedding(BaseModel):
    """What became of one embedding."""

    model_config = example(subject="jane.doe", face_id="9e6380afc176e721c45c5467ddfd96ca", status="enrolled")

    subject: str
    face_id: str
    status: Literal["enrolled", "already", "deleted"]


class EmbeddingsAnswer(BaseModel):
    """What became of each embedding, in order."""

    model_config = example(enrolled=1, faces=[EnrolledEmbedding])

    enrolled: int
    faces: list[EnrolledEmbedding]


@router.post("/faces", responses={201: {"model": EnrolAnswer, "description": "At least one face is new"}})
async def post_faces(
    request: Request,
    response: Response,
    collection: CollectionName,
    subject: Annotated[list[str], Form(description=f"One for all photos, or one for each, in order. {ID}")],
    photo: Annotated[list[UploadFile], File(description=f"1 to {MAX_PHOTOS} photos.")],
    options: Annotated[EnrolOptions, Query()],
    idempotency_key: IdempotencyKey = None,
) -> EnrolAnswer:
    """Enrol one face of each photo. Each photo that cannot be enrolled is reported, and the others are enrolled.

    If nothing could be enrolled, the answer is an error with the first photo's code, and all photos in its details.
    """
    service: Service = request.state.service
    subjects = _a_photo_each(subject, len(photo))
    add_audit_ids(request, subjects)
    # A name can come in a charset that gives what no text can have.
    labels = [(file.filename or "").encode("utf-8", "replace").decode()[:255] for file in photo]
    # The decode gate refuses a file that is too large, and the other photos are still enrolled. One byte too many shows
    # the gate that it is; a call to the detector could not carry all of it.
    data = [await file.read(service.limits.max_image_size + 1) for file in photo]
    found = await service.stages.gallery.collection(collection)
    chosen, embedder = ChosenStages.of(service, options), embedder_of(service, found.kind.embedder)
    entries = [PhotoToEnrol(*entry) for entry in zip(subjects, labels, data, strict=True)]
    rules = EnrolmentRules(pick_of(service, options.faces), chosen.rule, options.quality)
    sent = [options.model_dump_json(), *subjects, *(hashlib.sha256(each).hexdigest() for each in data)]
    outcomes = await enrol(
        chosen.detector,
        embedder,
        chosen.liveness,
        chosen.attributes,
        service.stages.gallery,
        collection,
        entries,
        rules,
        service.policy,
        replace=options.replace,
        request=_request(idempotency_key, sent),
    )
    answers = [_photo_answer(entries[outcome.number], outcome) for outcome in outcomes]
    counts = {status: sum(each.status == status for each in answers) for status in _STATUSES}
    if counts["refused"] == len(answers):
        first = answers[0].error
        assert first is not None
        raise Refused(first.code, first.message, {"photos": [answer.model_dump(mode="json") for answer in answers]})
    if counts["enrolled"]:
        response.status_code = 201
    return EnrolAnswer(**counts, photos=answers, models=chosen.models(embedder))


@router.post("/embeddings", responses={201: {"model": EmbeddingsAnswer, "description": "At least one face is new"}})
async def post_embeddings(
    request: Request,
    response: Response,
    collection: CollectionName,
    body: EmbeddingsRequest,
    idempotency_key: IdempotencyKey = None,
) -> EmbeddingsAnswer:
    """Enrol existing embeddings, all or none."""
    service: Service = request.state.service
    add_audit_ids(request, (each.subject for each in body.embeddings))
    vectors = [vector_of(each.values) for each in body.embeddings]
    faces = [
        NewFace(each.subject, hashlib.sha256(vector.tobytes()).hexdigest(), each.label, vector)
        for each, vector in zip(body.embeddings, vectors, strict=True)
    ]
    sent = [str(body.replace), *(face.id for face in faces)]
    enrolled: Sequence[Enrolled] = await service.stages.gallery.enrol(
        collection, body.contract, faces, replace=body.replace, request=_request(idempotency_key, sent)
    )
    count = sum(each.status == "enrolled" for each in enrolled)
    if count:
        response.status_code = 201
    return EmbeddingsAnswer(
        enrolled=count,
        faces=[EnrolledEmbedding(subject=e.subject, face_id=e.face_id, status=e.status) for e in enrolled],
    )


_STATUSES = ("enrolled", "already", "deleted", "refused")


def _a_photo_each(subjects: list[str], photos: int) -> list[str]:
    if photos > MAX_PHOTOS:
        raise Refused("INVALID_REQUEST", f"{photos} photos are more than the {MAX_PHOTOS} of one request")
    for each in subjects:
        subject_key(each)
        refuse_blank(each)
    if len(subjects) == 1:
        return subjects * photos
    if len(subjects) != photos:
        raise Refused("INVALID_REQUEST", f"{len(subjects)} subjects for {photos} photos: send one, or one for each")
    return subjects


def _request(key: str | None, sent: Sequence[str]) -> tuple[str, str] | None:
    """The idempotency key, and a digest of what it was sent with."""
    return None if key is None else (key, hashlib.sha256(json.dumps(sent).encode()).hexdigest())


def _photo_answer(entry: PhotoToEnrol, outcome: EnrolmentOutcome) -> EnrolledPhoto:
    refused, enrolled = outcome.refused, outcome.enrolled
    face = None
    if outcome.photo is not None and outcome.face is not None:
        face = FaceAnswer.of(outcome.photo, outcome.face, outcome.live, **outcome.attributes)
    return EnrolledPhoto(
        photo=outcome.number,
        label=entry.label,
        subject=entry.subject,
        status=enrolled.status if enrolled else "refused",
        face_id=enrolled.face_id if enrolled else None,
        error=ReasonAnswer(code=refused.code, message=refused.message) if refused else None,
        reasons=[ReasonAnswer(code=reason.code, message=reason.message) for reason in outcome.reasons],
        faces_found=outcome.photo.found if outcome.photo else 0,
        face=face,
    )
