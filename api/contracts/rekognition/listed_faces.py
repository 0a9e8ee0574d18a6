"""ListFaces and DeleteFaces."""

import re
from typing import Annotated, Any

from pydantic import Field

from api.contracts.rekognition.face_collections import MAX_PAGE, PageSize
from api.contracts.rekognition.identities import (
    LONE_SUBJECT,
    face_id_of,
    model_version,
    refuse_lone,
    refused_face,
    stored_face,
    user_of,
    uuid_of,
)
from api.contracts.rekognition.operation import AwsCall
from api.contracts.rekognition.paging import invalid_token, last_item, page_token
from api.contracts.rekognition.requests import AwsCollectionRequest, FaceId, UserId
from gallery.operations import Gallery
from gallery.records import Collection, StoredFace

FaceIds = Annotated[list[FaceId], Field(min_length=1, max_length=4096)]


class ListFacesRequest(AwsCollectionRequest):
    """A page of faces: all, those of a user, or those with given ids."""

    max_results: PageSize = MAX_PAGE
    next_token: str | None = None
    user_id: UserId | None = None
    face_ids: FaceIds | None = None


class DeleteFacesRequest(AwsCollectionRequest):
    """Faces to delete."""

    face_ids: FaceIds


async def list_faces(call: AwsCall, request: ListFacesRequest) -> dict[str, Any]:
    """List a page of faces in the order of their ids."""
    gallery, most = call.service.stages.gallery, request.max_results or MAX_PAGE
    if (after := face_id_of(last_item(request.next_token))) and not re.fullmatch("[0-9a-f]{32}", after):
        raise invalid_token()
    collection, found = await _faces(gallery, request, after, most + 1)
    page: dict[str, Any] = {
        "Faces": [stored_face(collection, face) for face in found[:most]],
        "FaceModelVersion": model_version(collection),
    }
    return page | ({"NextToken": page_token(uuid_of(found[most - 1].face_id))} if len(found) > most else {})


async def _faces(
    gallery: Gallery, request: ListFacesRequest, after: str, limit: int
) -> tuple[Collection, list[StoredFace]]:
    name = request.collection_id
    if request.face_ids is None and request.user_id is None:
        return await gallery.faces_after(name, after, limit)
    wanted = {face_id_of(each) for each in request.face_ids or ()}
    if request.user_id is None:
        collection, found = await gallery.faces_with_ids(name, list(wanted))
    else:
        refuse_lone(request.user_id)
        collection, found = await gallery.faces_if_any(name, request.user_id)
    kept = [face for face in found if face.face_id > after and (not wanted or face.face_id in wanted)]
    return collection, sorted(kept, key=lambda face: face.face_id)[:limit]


async def delete_faces(call: AwsCall, request: DeleteFacesRequest) -> dict[str, Any]:
    """Delete faces in one commit. A user's faces must be disassociated first, as AWS requires."""
    gallery, wanted = call.service.stages.gallery, list(dict.fromkeys(map(face_id_of, request.face_ids)))
    call.audit.add(faces=wanted)
    known = await gallery.delete_faces(request.collection_id, wanted, LONE_SUBJECT)
    users = {face_id: user for face_id, subject in known.items() if (user := user_of(subject))}
    deleted = [face_id for face_id in wanted if face_id in known and face_id not in users]
    refused = [refused_face(face_id, "ASSOCIATED_TO_AN_EXISTING_USER", user) for face_id, user in users.items()]
    refused += [refused_face(face_id, "FACE_NOT_FOUND") for face_id in wanted if face_id not in known]
    return {"DeletedFaces": [uuid_of(face_id) for face_id in deleted], "UnsuccessfulFaceDeletions": refused}
