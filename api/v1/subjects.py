"""List and delete the subjects of a collection and their faces, and set metadata."""

import asyncio
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from api.audit_ids import CurrentAuditIds
from api.errors import ERRORS
from api.parameters import StrictRoute
from api.path_parameters import SubjectId
from api.service import CurrentService
from api.v1.examples import Answer, JsonBody, example
from api.v1.options import IN_DIGITS, METADATA, CollectionName, Truth
from gallery.errors import face_not_found, subject_not_found
from gallery.records import MAX_SUBJECT, Metadata

router = APIRouter(prefix="/v1/collections/{collection}", tags=["subjects"], responses=ERRORS, route_class=StrictRoute)


class SubjectAnswer(Answer):
    """A subject of a collection."""

    model_config = example(
        id="jane.doe",
        faces=2,
        first_enrolled="2026-01-15T10:30:00Z",
        last_enrolled="2026-01-15T11:45:00Z",
        metadata=None,
    )

    id: str
    faces: int
    first_enrolled: datetime
    last_enrolled: datetime
    metadata: Metadata | None = Field(
        None, description="The subject's metadata; null if it has none or metadata=false."
    )


class SubjectsAnswer(Answer):
    """A page of subjects, ordered by the code points of their ids.

    `next` is the value of `after` for the next page; null on the last page.
    """

    model_config = example(next="jane.doe")

    subjects: list[SubjectAnswer]
    next: str | None


class StoredFaceAnswer(Answer):
    """An enrolled face. The label is the file name of the photo, or was sent with the embedding."""

    model_config = example(face_id="9e6380afc176e721c45c5467ddfd96ca", label="jane.jpg", created="2026-01-15T10:30:00Z")

    face_id: str
    label: str
    created: datetime


class SubjectFacesAnswer(Answer):
    """A subject with its faces, oldest first."""

    model_config = example(id="jane.doe", metadata={"department": "sales"})

    id: str
    metadata: Metadata | None
    faces: list[StoredFaceAnswer]


class MetadataRequest(JsonBody):
    """New metadata of a subject."""

    model_config = example(metadata={"department": "sales"})

    metadata: Metadata | None = Field(description=f"Replaces all earlier metadata; null removes it. {METADATA}")


class MetadataAnswer(Answer):
    """The metadata of a subject."""

    model_config = example(id="jane.doe", metadata={"department": "sales"})

    id: str
    metadata: Metadata | None


class DeleteSubjectsRequest(JsonBody):
    """The subjects to delete."""

    model_config = example(ids=["ada", "bob"])

    ids: list[str] = Field(min_length=1, max_length=1000)


class DeletedAnswer(Answer):
    """Number of deleted faces."""

    model_config = example(deleted_faces=2)

    deleted_faces: int


@router.get("/subjects")
async def get_subjects(
    service: CurrentService,
    collection: CollectionName,
    after: Annotated[str, Query(max_length=MAX_SUBJECT, description="`next` of the previous page.")] = "",
    limit: Annotated[
        Annotated[int, Field(ge=1, le=1000), IN_DIGITS], Query(description="Maximum number of subjects on the page.")
    ] = 100,
    metadata: Annotated[Truth, Query(description="Whether to return the metadata of each subject.")] = False,
) -> SubjectsAnswer:
    """List one page of a collection's subjects."""
    gallery = service.stages.gallery
    page = await gallery.subjects(collection, after, limit + 1)
    listed = [SubjectAnswer.model_validate(each) for each in page[:limit]]
    if metadata:
        described = await gallery.metadata(collection, [each.id for each in listed])
        for each in listed:
            each.metadata = described.get(each.id)
    return SubjectsAnswer(subjects=listed, next=listed[-1].id if len(page) > limit else None)


@router.get("/subjects/{subject:text}")
async def get_subject(service: CurrentService, collection: CollectionName, subject: SubjectId) -> SubjectFacesAnswer:
    """Return the metadata and the faces of a subject."""
    gallery = service.stages.gallery
    found = await gallery.collection(collection)
    faces, described = await asyncio.gather(gallery.faces(found, subject), gallery.metadata(collection, [subject]))
    return SubjectFacesAnswer(id=subject, metadata=described.get(subject), faces=faces)


@router.patch("/subjects/{subject:text}")
async def patch_subject(
    service: CurrentService,
    audit: CurrentAuditIds,
    collection: CollectionName,
    subject: SubjectId,
    body: MetadataRequest,
) -> MetadataAnswer:
    """Replace the metadata of a subject."""
    audit.add([subject])
    await service.stages.gallery.set_metadata(collection, subject, body.metadata)
    return MetadataAnswer(id=subject, metadata=body.metadata)


@router.delete("/subjects/{subject:text}")
async def delete_subject(
    service: CurrentService, audit: CurrentAuditIds, collection: CollectionName, subject: SubjectId
) -> DeletedAnswer:
    """Delete a subject with all its faces. After the response, searches do not find it."""
    audit.add([subject])
    deleted = await service.stages.gallery.delete_subjects(collection, [subject])
    if not deleted:
        raise subject_not_found()
    return DeletedAnswer(deleted_faces=deleted)


@router.post("/subjects/delete")
async def post_delete_subjects(
    service: CurrentService, audit: CurrentAuditIds, collection: CollectionName, body: DeleteSubjectsRequest
) -> DeletedAnswer:
    """Delete several subjects in one commit. Unknown ids are ignored.

    Use this for ids that cannot be part of a path, such as ``..``, which browsers and proxies resolve.
    """
    audit.add(body.ids)
    deleted = await service.stages.gallery.delete_subjects(collection, body.ids)
    return DeletedAnswer(deleted_faces=deleted)


@router.delete("/faces/{face_id}")
async def delete_face(
    service: CurrentService, audit: CurrentAuditIds, collection: CollectionName, face_id: str
) -> DeletedAnswer:
    """Delete one face of a subject."""
    audit.add(faces=[face_id])
    if not await service.stages.gallery.delete_faces(collection, [face_id]):
        raise face_not_found()
    return DeletedAnswer(deleted_faces=1)
