"""Requests with a ClientRequestToken, which are performed once. A repeated request gets the same answer."""

import json
import logging
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Annotated, Any, TypeVar

from pydantic import Field

from api.contracts.rekognition.operation import AwsCall
from api.contracts.rekognition.requests import AwsModel, CollectionId, UserId
from gallery.records import digest

logger = logging.getLogger("ray.serve")


class UserChangeRequest(AwsModel):
    """A change to one user. The token marks repetitions of the same request."""

    collection_id: CollectionId
    user_id: UserId
    client_request_token: Annotated[str, Field(pattern="^[a-zA-Z0-9_-]{1,64}$")] | None = None

    @property
    def faces(self) -> list[str]:
        """Ids of the faces to give to the user or to take from it."""
        return []


Requested = TypeVar("Requested", bound=UserChangeRequest)


def performed_once(
    perform: Callable[[AwsCall, Requested], Awaitable[dict[str, Any]]],
) -> Callable[[AwsCall, Requested], Awaitable[dict[str, Any]]]:
    """Perform a request once per token and access key. A repetition gets the first answer, until the next clean-up.

    Only successful answers are kept. If the answer was not kept, the request is performed again, and may then answer
    differently. The first request and its repetitions are audited with the same ids.

    Raises:
        RequestError: ``IDEMPOTENCY_KEY_REUSED``: the token was sent with other parameters before.
    """

    @wraps(perform)
    async def performed(call: AwsCall, request: Requested) -> dict[str, Any]:
        call.audit.add([request.user_id], request.faces)
        if request.client_request_token is None:
            return await perform(call, request)
        gallery, collection = call.service.stages.gallery, request.collection_id
        token = f"{perform.__name__} {call.key.id} {request.client_request_token}"
        # The digest includes the token, which is stored nowhere, so that it does not reveal the user.
        sent = token, digest(request.model_dump_json())
        earlier = await gallery.earlier_answer(collection, sent)
        if earlier is not None:
            answer: dict[str, Any] = json.loads(earlier)
            return answer
        answer = await perform(call, request)
        try:
            await gallery.keep_answer(collection, sent, json.dumps(answer))
        except Exception as error:
            # The change is made, so the request has succeeded.
            logger.warning("rekognition: the answer to a request was not kept: %r", error)
        return answer

    return performed
