"""Enrol subjects in a collection with photos."""

import hashlib
from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Query, Response, UploadFile
from pydantic import Field

from api.audit_ids import CurrentAuditIds
from api.errors import ERRORS
from api.parameters import StrictRoute
from api.service import CurrentKey, CurrentService
from api.v1.chosen import ChosenStages, embedder_of
from api.v1.duplicates import DuplicateAnswer, duplicate_rule, may_name
from api.v1.examples import Answer, example
from api.v1.idempotency import IdempotencyKey, identified_request
from api.v1.options import METADATA, SUBJECT_ID, CollectionName, EnrolOptions, pick_of
from api.v1.schemas import FaceAnswer, FacesFound, Models, ReasonAnswer
from gallery.metadata_format import parsed
from gallery.records import subject_key
from gallery.subject_ids import refuse_blank
from graphs.enrol import EnrolmentOutcome, EnrolmentRules, PhotoToEnrol, enrol
from project.request_error import RequestError

router = APIRouter(prefix="/v1/collections/{collection}", tags=["enrolment"], responses=ERRORS, route_class=StrictRoute)

MAX_PHOTOS = 64


class EnrolledPhoto(Answer):
    """Result for one photo, or for one of its faces with faces=all.

    `status` is one of:

    - ``enrolled``: the face is new.
    - ``already``: the same photo of the same subject is already enrolled.
    - ``moved``: the same photo was enrolled for this subject, which has since been renamed or merged; nothing changed.
    - ``deleted``: the request repeats an earlier one, and the face has been deleted since.
    - ``refused``: the photo or the face was rejected; see `error`.
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
    )

    photo: int = Field(description="Index of the photo in the request, from 0.")
    label: str
    subject: str
    status: Literal["enrolled", "already", "moved", "deleted", "refused"]
    face_id: str | None
    error: ReasonAnswer | None
    reasons: list[ReasonAnswer] = Field(description="Every problem found, even if the face was enrolled.")
    duplicate: DuplicateAnswer | None = Field(
        description="The other subject that the face resembles; null if there is none, or with duplicate=allow."
    )
    faces_found: FacesFound
    face: FaceAnswer | None


class EnrolAnswer(Answer):
    """Results in request order: one per photo, or one per face with faces=all."""

    model_config = example(enrolled=1, already=0, moved=0, deleted=0, refused=0)

    enrolled: int
    already: int
    moved: int
    deleted: int
    refused: int
    photos: list[EnrolledPhoto]
    models: Models


@router.post("/faces", responses={201: {"model": EnrolAnswer, "description": "At least one face is new"}})
async def post_faces(
    service: CurrentService,
    key: CurrentKey,
    audit: CurrentAuditIds,
    response: Response,
    collection: CollectionName,
    subject: Annotated[list[str], Form(description=f"One id for all photos, or one per photo in order. {SUBJECT_ID}")],
    photo: Annotated[list[UploadFile], File(description=f"1 to {MAX_PHOTOS} photos.")],
    options: Annotated[EnrolOptions, Query()],
    metadata: Annotated[
        str | None, Form(description="New metadata of every subject with a face that is not rejected. " + METADATA)
    ] = None,
    idempotency_key: IdempotencyKey = None,
) -> EnrolAnswer:
    """Enrol a face of each photo, or all with faces=all. A photo that cannot be enrolled does not affect the others.

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
        duplicate_rule(service, options.duplicate, found),
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
        request=identified_request(idempotency_key, sent),
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
