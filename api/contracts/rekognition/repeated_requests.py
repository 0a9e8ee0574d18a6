"""Changes to users. A request with a ClientRequestToken is performed once, and its repetitions get the same answer.

Only successful answers are kept, and only until the next clean-up. If no answer was kept, the request is performed
again, and its answer may differ. The first request and its repetitions are audited with the same ids.
"""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar

from pydantic import Field
from pydantic.alias_generators import to_snake

from api.contracts.rekognition.operation import AwsCall
from api.contracts.rekognition.requests import AwsCollectionRequest, UserId
from gallery.records import KeptAnswer, Reassignment, digest
from project.request_error import RequestError

UNRELATED = ("UNAVAILABLE", "STORAGE_FULL")
"""Codes of errors that an earlier request cannot have caused. Asking the writer for a kept answer would also fail."""


class UserChangeRequest(AwsCollectionRequest):
    """A change to one user. The token marks repetitions of the same request."""

    user_id: UserId
    client_request_token: str | None = Field(None, pattern="^[a-zA-Z0-9_-]{1,64}$")

    @property
    def faces(self) -> list[str]:
        """Ids of the faces to give to the user or to take from it."""
        return []


def kept_answer(call: AwsCall, request: UserChangeRequest, answer: dict[str, Any]) -> KeptAnswer | None:
    """Return the answer to a request as it is kept; None if the request has no token."""
    if request.client_request_token is None:
        return None
    operation = to_snake(type(request).__name__.removesuffix("Request"))
    token = f"{operation} {call.key.id} {request.client_request_token}"
    # The digest of the request covers its token, which is stored nowhere, so the digest does not reveal the user.
    return KeptAnswer((token, digest(request.model_dump_json())), json.dumps(answer))


Requested = TypeVar("Requested", bound=UserChangeRequest)


def performed_once(
    perform: Callable[[AwsCall, Requested], Awaitable[dict[str, Any]]],
) -> Callable[[AwsCall, Requested], Awaitable[dict[str, Any]]]:
    """Wrap `perform`: if it fails, return the answer to an earlier, successful request with the same token.

    Raises:
        RequestError: raised by `perform`, or ``IDEMPOTENCY_KEY_REUSED``: the token was sent with other parameters.
    """

    @wraps(perform)
    async def performed(call: AwsCall, request: Requested) -> dict[str, Any]:
        call.audit.add([request.user_id], request.faces)
        try:
            return await perform(call, request)
        except RequestError as refused:
            if refused.code in UNRELATED or (kept := kept_answer(call, request, {})) is None:
                raise
            earlier = await call.service.stages.gallery.earlier_answer(request.collection_id, kept.request)
            if earlier is None:
                raise
            return _decoded(earlier)

    return performed


async def reassigned(
    call: AwsCall,
    request: UserChangeRequest,
    moves: Mapping[str, Reassignment],
    answer_for: Callable[[Collection[str]], dict[str, Any]],
    *,
    keep: Sequence[str] = (),
    drop: Sequence[str] = (),
) -> dict[str, Any]:
    """Give faces to other subjects, unless an earlier request with the same token has already done so.

    Args:
        moves, keep, drop: see `gallery.writing.subject_changes.SubjectChanges.reassign_faces`.
        answer_for: returns the answer to the request, given the ids of the faces that were moved.

    Raises:
        RequestError: ``IDEMPOTENCY_KEY_REUSED``, or raised by `reassign_faces`.
    """
    gallery, expected = call.service.stages.gallery, answer_for(moves.keys())
    kept = kept_answer(call, request, expected)
    if not (moves or drop or kept):
        return expected
    moved, earlier = await gallery.reassign_faces(request.collection_id, moves, keep=keep, drop=drop, kept=kept)
    if earlier is not None:
        return _decoded(earlier)
    if len(moved) == len(moves):
        return expected
    # Another request changed some of the faces in the meantime.
    answer = answer_for(moved)
    if (kept := kept_answer(call, request, answer)) is not None:
        await gallery.keep_answer(request.collection_id, kept)
    return answer


def _decoded(answer: str) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(answer)
    return members
