"""Requests with a ClientRequestToken, which are performed once. A repeated request gets the same answer."""

import json
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Annotated, Any, TypeVar

from pydantic import Field

from api.contracts.rekognition.operation import AwsCall
from api.contracts.rekognition.requests import AwsModel, CollectionId, UserId
from gallery.records import digest


class UserChangeRequest(AwsModel):
    """A change of one user, which a token identifies if it is repeated."""

    collection_id: CollectionId
    user_id: UserId
    client_request_token: Annotated[str, Field(pattern="^[a-zA-Z0-9_-]{1,64}$")] | None = None


Requested = TypeVar("Requested", bound=UserChangeRequest)


def performed_once(
    perform: Callable[[AwsCall, Requested], Awaitable[dict[str, Any]]],
) -> Callable[[AwsCall, Requested], Awaitable[dict[str, Any]]]:
    """Give a request that the same key repeats with the same token the first answer, until the next clean-up.

    Only successful answers are kept. If the service ends between change and answer, or the first request still runs,
    the request is performed again, which leaves users and faces as they are.

    Raises:
        RequestError: ``IDEMPOTENCY_KEY_REUSED``: the token was sent with other parameters before.
    """

    @wraps(perform)
    async def performed(call: AwsCall, request: Requested) -> dict[str, Any]:
        if request.client_request_token is None:
            return await perform(call, request)
        gallery, collection = call.service.stages.gallery, request.collection_id
        token = digest(perform.__name__, call.key.id, request.client_request_token)
        # The digest includes the token, which is stored nowhere, so that it does not reveal the user.
        sent = token, digest(request.model_dump_json())
        earlier = await gallery.earlier_answer(collection, sent)
        if earlier is not None:
            call.audit.add([request.user_id])
            answer: dict[str, Any] = json.loads(earlier)
            return answer
        answer = await perform(call, request)
        await gallery.keep_answer(collection, sent, json.dumps(answer))
        return answer

    return performed
