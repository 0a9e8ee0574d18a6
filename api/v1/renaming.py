"""Rename and merge the subjects of a collection."""

from fastapi import APIRouter
from pydantic import Field

from api.audit_ids import CurrentAuditIds
from api.errors import ERRORS
from api.parameters import StrictRoute
from api.service import CurrentService
from api.v1.examples import Answer, JsonBody, example
from api.v1.options import CollectionName

router = APIRouter(
    prefix="/v1/collections/{collection}/subjects", tags=["subjects"], responses=ERRORS, route_class=StrictRoute
)


class RenameRequest(JsonBody):
    """A subject and its new id."""

    model_config = example(subject="jane.doe", new="jane.smith")

    subject: str
    new: str = Field(description="An id that no subject of the collection has.")


class MergeRequest(JsonBody):
    """Subjects to merge, and the subject that gets their faces."""

    model_config = example(subjects=["j.doe", "jane"], into="jane.doe")

    subjects: list[str] = Field(min_length=1, max_length=1000)
    into: str = Field(description="Another subject of the collection.")


class MovedAnswer(Answer):
    """Number of faces that have a new subject."""

    model_config = example(moved_faces=2)

    moved_faces: int


@router.post("/rename")
async def post_rename(
    service: CurrentService, audit: CurrentAuditIds, collection: CollectionName, body: RenameRequest
) -> MovedAnswer:
    """Give a subject another id. Its faces keep their ids, and searches find them under the new id only.

    If another subject has the new id, the error is ``SUBJECT_EXISTS``.
    """
    audit.add([body.subject, body.new])
    return MovedAnswer(moved_faces=await service.stages.gallery.rename_subject(collection, body.subject, body.new))


@router.post("/merge")
async def post_merge(
    service: CurrentService, audit: CurrentAuditIds, collection: CollectionName, body: MergeRequest
) -> MovedAnswer:
    """Give all faces of several subjects to one subject, in one commit. The faces keep their ids.

    If any of the subjects does not exist, nothing changes.
    """
    audit.add([*body.subjects, body.into])
    return MovedAnswer(moved_faces=await service.stages.gallery.merge_subjects(collection, body.subjects, body.into))
