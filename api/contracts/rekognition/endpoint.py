"""Serves the operations: checks signature, key and rate, performs the operation, and writes the audit log."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from access.audit import Audit
from access.aws_signature import AwsSignature
from access.key_encryption import KeyCipher, key_id_of
from access.keys import Key, Keys
from access.rates import Rates
from api.access import caller_address, check_rate, write_event
from api.audit_ids import AuditIds
from api.contracts.rekognition.operation import AwsCall
from api.contracts.rekognition.operations import OPERATIONS
from api.contracts.rekognition.target import target_of
from api.errors import Refuse, fault
from api.scopes import RequestedRoute
from project.request_error import RequestError

MEDIA_TYPE = "application/x-amz-json-1.1"


@dataclass(frozen=True, slots=True)
class RekognitionEndpoint:
    """ASGI app for the requests that `target.has_target` recognises.

    A request needs a valid signature even if the service requires no keys. With a valid signature, it counts towards
    the rate limit of its key, otherwise towards the rate limit of its IP address.

    Attributes:
        hops: see `api.access.caller_address`.
        keys, rates, audit: see the `access` package.
        cipher: decrypts the keys of AWS clients.
        refuse: builds the response to a rejected request.
    """

    hops: int
    keys: Keys
    cipher: KeyCipher
    rates: Rates
    audit: Audit
    refuse: Refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._response(request)
        response.headers["x-amzn-RequestId"] = request.state.request_id
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        name = target_of(request.scope)
        if not (operation := OPERATIONS.get(name)):
            message = (
                f"There is no operation {name[:64]}" if name else "X-Amz-Target must name an operation of Rekognition"
            )
            return self.refuse(request, RequestError("UNKNOWN_OPERATION", f"{message}; see docs/rekognition.md"))
        request.state.operation = name
        if not request.headers.get("content-type", "").startswith(MEDIA_TYPE):
            # The limits of JSON bodies do not apply to forms.
            return self.refuse(request, RequestError("INVALID_JSON", f"Content-Type must be {MEDIA_TYPE}"))
        call: AwsCall | None = None
        response: Response | None = None
        try:
            key, body = await self._authenticated(request)
            request.state.key, request.state.audit_ids = key, AuditIds()
            call = AwsCall(request.state.service, key, request.state.audit_ids)
            response = Response(json.dumps(await operation.answer(call, body)), media_type=MEDIA_TYPE)
        except RequestError as refused:
            response = self.refuse(request, refused)
        except Exception as error:
            response = self.refuse(request, fault(request, error))
        finally:
            if call:
                wanted = RequestedRoute(f"POST / {name}", operation.need, None)
                address, status = caller_address(request.scope, self.hops), response.status_code if response else None
                write_event(self.audit, request, wanted, address, status)
        return response

    async def _authenticated(self, request: Request) -> tuple[Key, bytes]:
        """Return the caller's key and the body. Reads no body if the headers alone show that the request is invalid."""
        address = str(caller_address(request.scope, self.hops))
        try:
            signature = AwsSignature.of(request.headers.items(), datetime.now(UTC))
            key = self._key(signature, "x-amz-security-token" in request.headers)
            body = await request.body()
            query = request.url.query
            signature.check(self.cipher.decrypt(key), f"/?{query}" if query else "/", body)
        except ClientDisconnect:
            raise RequestError("INVALID_REQUEST", "The connection was closed before the request was complete") from None
        except RequestError:
            check_rate(self.rates, address)
            raise
        check_rate(self.rates, key.id)
        return key, body

    def _key(self, signature: AwsSignature, is_temporary: bool) -> Key:
        if is_temporary:
            raise RequestError("UNKNOWN_ACCESS_KEY", "Temporary credentials are not supported; send no session token")
        id = key_id_of(signature.access_key)
        key = None if id is None else self.keys.entry(id)
        if key is None or key.encrypted is None:
            raise RequestError("UNKNOWN_ACCESS_KEY", "The access key is unknown, revoked or expired")
        return key
