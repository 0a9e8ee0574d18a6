"""CreateUser, ListUsers and DeleteUser."""

import hashlib
import secrets
from typing import Any

from pydantic import Field

from api.contracts.rekognition.identities import LONE_PREFIX, LONE_SUBJECT, lone_subject, refuse_lone, user_of
from api.contracts.rekognition.operation import AwsCall
from api.contracts.rekognition.paging import last_item, page_token
from api.contracts.rekognition.repeated_requests import UserChangeRequest, kept_answer, performed_once, reassigned
from api.contracts.rekognition.requests import AwsCollectionRequest
from gallery.records import Reassignment
from project.request_error import RequestError


class CreateUserRequest(UserChangeRequest):
    """A user to create, without faces."""

    user_id: str = Field(pattern=r"^[a-zA-Z0-9_.\-:]{1,128}$")


class ListUsersRequest(AwsCollectionRequest):
    """A page of users."""

    max_results: int = Field(500, ge=1, le=500)
    next_token: str | None = None


class DeleteUserRequest(UserChangeRequest):
    """A user to delete."""


@performed_once
async def create_user(call: AwsCall, request: CreateUserRequest) -> dict[str, Any]:
    """Create a user without faces."""
    if user_of(request.user_id) is None:
        raise RequestError("INVALID_REQUEST", f"UserId: {LONE_PREFIX} followed by 32 hex digits is reserved")
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
    """Delete a user. Its faces stay in the collection, without a user."""
    user = request.user_id
    refuse_lone(user)
    _, found = await call.service.stages.gallery.faces_if_any(request.collection_id, user)
    moves = {face.face_id: Reassignment(user, lone_subject(face.face_id)) for face in found}
    return await reassigned(call, request, moves, lambda _: {}, drop=[user])
