"""An operation of the contract: its permission, and the function that performs it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar, get_type_hints

from pydantic import ValidationError

from access.keys import Key
from api.audit_ids import AuditIds
from api.contracts.rekognition.requests import AwsCollectionRequest, AwsModel, first_problem
from api.scopes import Need
from api.service import Service
from project.request_error import RequestError

Wanted = TypeVar("Wanted", bound=AwsModel)


@dataclass(frozen=True, slots=True)
class AwsCall:
    """The service, the caller's key, and the ids for the audit log."""

    service: Service
    key: Key
    audit: AuditIds


@dataclass(frozen=True)
class Operation(Generic[Wanted]):
    """An operation of the contract.

    Attributes:
        perform: returns the members of its response.
        need: what it requires from a key.
    """

    perform: Callable[[AwsCall, Wanted], Awaitable[dict[str, Any]]]
    need: Need

    @cached_property
    def request(self) -> type[Wanted]:
        """Model of its request: the type of the parameter `request` of `perform`."""
        model: type[Wanted] = get_type_hints(self.perform)["request"]
        return model

    async def answer(self, call: AwsCall, body: bytes) -> dict[str, Any]:
        """Perform the operation with the request in `body`.

        Raises:
            RequestError: ``FORBIDDEN``, ``INVALID_JSON``, ``INVALID_REQUEST``, or raised by `perform`.
        """
        if self.need.scope not in call.key.scopes:
            raise RequestError("FORBIDDEN", f"The access key does not have the scope {self.need.scope}")
        try:
            wanted = self.request.model_validate_json(body)
        except ValidationError as error:
            raise first_problem(error) from None
        collection = wanted.collection_id if isinstance(wanted, AwsCollectionRequest) else None
        call.audit.add(collection=collection)
        if not self.need.reached_by(call.key, collection):
            raise RequestError("FORBIDDEN", "The access key has no access to this collection")
        return await self.perform(call, wanted)
