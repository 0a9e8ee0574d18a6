"""Access control: checks a request before its body is read, and writes the audit log before the response."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Connection

from access.audit import Audit, Event
from access.keys import Key, Keys, KeysError
from access.rates import Rates
from access.settings import AccessArgs
from api.admission import is_open
from api.audit_ids import AuditIds
from api.contracts.rekognition.target import has_target
from api.cors import refuse_other_sites
from api.errors import Refuse, fault
from api.scopes import RequestedRoute, requested_route
from project.request_error import RequestError

logger = logging.getLogger("ray.serve")


@dataclass(frozen=True, slots=True)
class Access:
    """ASGI middleware that admits requests by the caller's key and rate.

    Requests of AWS clients are left to `api.contracts.rekognition.endpoint`, because their signatures cover the body.
    For others, sets `request.state.key` to the caller's `Key` (None if no key was sent), and
    `request.state.audit_ids` to the `AuditIds` that routes fill.

    Attributes:
        app: the inner app.
        args: whether a key is required, and which IP address is the caller's.
        keys, rates, audit: see the `access` package.
        refuse: builds the response to a rejected request.
    """

    app: ASGIApp
    args: AccessArgs
    keys: Keys
    rates: Rates
    audit: Audit
    refuse: Refuse

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        if is_open(scope) or has_target(scope):
            return await self.app(scope, receive, send)
        request, address = Request(scope), caller_address(scope, self.args.forwarded_hops)
        wanted = requested_route(scope)
        try:
            refuse_other_sites(request)
            key = self._caller(request, address)
        except RequestError as refused:
            # Not logged: an unknown caller changed nothing, and could fill the log.
            return await self.refuse(request, refused)(scope, receive, send)
        request.state.key, request.state.audit_ids = key, AuditIds(wanted.collection if wanted else None)
        note = request.state.audit_ids.note = partial(write_event, self.audit, request, wanted, address)
        status: int | None = None

        async def recording_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                # Write the line before the response, so that every response a client gets is logged.
                note(status)
            await send(message)

        try:
            app: ASGIApp = self.app
            if wanted and key and (refused_why := _forbidden(wanted, key)):
                app = self.refuse(request, refused_why)
            await app(scope, receive, recording_send)
        finally:
            if status is None:
                note(None)

    def _caller(self, request: Request, address: str | None) -> Key | None:
        """Return the caller's key, or None if no key is given and none is required. Raises `RequestError`."""
        presented = _presented(request.headers)
        try:
            key = self.keys.find(presented) if presented is not None else None
        except KeysError as error:
            raise fault(request, error) from None
        check_rate(self.rates, key.id if key else str(address))
        if presented is not None and key is None:
            raise RequestError("UNAUTHENTICATED", "The API key is unknown, revoked or expired")
        if key is None and self.args.require_keys:
            raise RequestError("UNAUTHENTICATED", "Send an API key as Authorization: Bearer KEY or X-API-Key: KEY")
        return key


def check_rate(rates: Rates, caller: str) -> None:
    """Count a request of `caller`; raises `RequestError` ``RATE_LIMITED`` if it exceeds the limit."""
    if wait := rates.wait(caller):
        raise RequestError("RATE_LIMITED", "Too many requests", {"retry_after": math.ceil(wait)})


def write_event(
    audit: Audit, request: Request, wanted: RequestedRoute | None, address: str | None, status: int | None
) -> None:
    """Append a request to the audit log if its route is logged, or log why that failed.

    Args:
        request: its state has the key and the `AuditIds`.
        address: IP address of the caller.
        status: HTTP status of the response; None if the caller disconnected before it.
    """
    if wanted is None or wanted.need.action is None:
        return
    key: Key | None = request.state.key
    ids: AuditIds = request.state.audit_ids
    event = Event(
        request_id=request.state.request_id,
        key=key.id if key else None,
        address=address,
        action=wanted.need.action,
        route=wanted.route,
        collection=ids.collection,
        subjects=tuple(ids.subjects),
        faces=tuple(ids.faces),
        status=status,
    )
    try:
        audit.write(event)
    except OSError:
        # The change is already made; an error would only make the client retry it.
        logger.exception("request %s is not in the audit log", event.request_id)


def caller_address(connection: Connection, hops: int) -> str | None:
    """Find the caller's IP address.

    Args:
        connection: the request.
        hops: number of the service's own proxies. Each appends its peer to ``X-Forwarded-For``; entries before those
            can be forged by the caller.

    Returns:
        The entry of the outermost proxy, or the connection's peer if there is none.
    """
    lines = (value.decode("latin-1") for name, value in connection["headers"] if name == b"x-forwarded-for")
    entries = [entry.strip() for line in lines for entry in line.split(",")]
    if hops and len(entries) >= hops:
        try:
            return str(ip_address(entries[-hops]))
        except ValueError:
            pass
    peer = connection.get("client")
    return peer[0] if peer else None


def _presented(headers: Mapping[str, str]) -> str | None:
    # First, because Authorization may belong to a proxy.
    if (key := headers.get("x-api-key")) is not None:
        return key.strip()
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else None


def _forbidden(wanted: RequestedRoute, key: Key) -> RequestError | None:
    """Return why `key` is not allowed to make the request, or None."""
    if wanted.need.scope not in key.scopes:
        return RequestError("FORBIDDEN", f"The API key does not have the scope {wanted.need.scope}")
    if not wanted.need.reached_by(key, wanted.collection):
        return RequestError("FORBIDDEN", "The API key has no access to this collection")
    return None
