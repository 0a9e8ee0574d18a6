"""CreateUser, ListUsers and DeleteUser."""

import hashlib
import secrets
from typing import Annotated, Any

from pydantic import Field

from api.contracts.rekognition.identities import LONE_PREFIX, LONE_SUBJECT, refuse_lone, user_of
from api.contracts.rekognition.operation import AwsCall
from api.contracts.rekognition.paging import last_item, page_token
from api.contracts.rekognition.repeated_requests import UserChangeRequest, kept_answer, performed_once, reassigned
from api.contracts.rekognition.requests import AwsModel, CollectionId
from gallery.operations import Gallery
from gallery.records import Collection, Reassignment, StoredFace
from project.request_error import RequestError

NewUserId = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.\-:]{1,128}$")]


class CreateUserRequest(UserChangeRequest):
    """A user to create, without faces."""

    user_id: NewUserId


class ListUsersRequest(AwsModel):
    """A page of users."""

    collection_id: CollectionId
    max_results: int = Field(500, ge=1, le=500)
    next_token: str | None = None


class DeleteUserRequest(UserChangeRequest):
    """A user to delete."""


@performed_once
async def create_user(call: AwsCall, request: CreateUserRequest) -> dict[str, Any]:
    """Create a user without faces."""
    if user_of(request.user_id) is None:
        raise RequestError("INVALID_REQUEST", f"UserId: ids of {LONE_PREFIX} and 32 hex digits are reserved")
    token = request.client_request_token or secrets.token_hex()
    digest = hashlib.sha256(token.encode()).hexdigest()
    kept = kept_answer(call, request, {})
    await call.service.stages.gallery.create_subject(request.collection_id, request.user_id, digest, kept)
    return {}


async def list_users(call: AwsCall, request: ListUsersRequest) -> dict[str, Any]:
    """List a page of users in the order of their ids."""
    gallery, most = call.service.stages.gallery, request.max_results
    users = await gallery.subject_ids(request.collection_id, last_item(request.next_token), most + 1, LONE_SUBJECT)
    page = list(users)[:most]
    listed = [{"UserId": user, "UserStatus": "ACTIVE" if users[user] else "CREATED"} for user in page]
    return {"Users": listed} | ({"NextToken": page_token(page[-1])} if len(users) > most else {})


@performed_once
async def delete_user(call: AwsCall, request: DeleteUserRequest) -> dict[str, Any]:
    """Delete a user. Its faces stay in the collection, each without a user."""
    user = request.user_id
    _, found = await faces_of_user(call.service.stages.gallery, request.collection_id, user)
    moves = {face.face_id: Reassignment(user, f"{LONE_PREFIX}{face.face_id}") for face in found}
    return await reassigned(call, request, moves, lambda _: {}, drop=[user])


async def faces_of_user(gallery: Gallery, collection: str, user: str) -> tuple[Collection, list[StoredFace]]:
    """Return the collection with this name, and the stored faces of a user, which may have none.

    Raises:
        RequestError: ``SUBJECT_NOT_FOUND``.
    """
    refuse_lone(user)
    return await gallery.faces_if_any(collection, user)
