"""The ASGI app: every route, the formats of errors, and the middleware."""

from copy import copy
from functools import cache, partial
from pathlib import Path

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from access.audit import Audit
from access.key_encryption import KeyCipher
from access.keys import Keys
from access.rates import Rates
from api import errors, health, metrics, openapi, page, scopes
from api.access import Access
from api.admission import Admission
from api.contracts import compare, deepface, face_database, faces, match
from api.contracts.rekognition.endpoint import RekognitionEndpoint
from api.contracts.rekognition.target import has_target
from api.cors import OpenPaths
from api.deadline import Deadline
from api.head import HeadRequests
from api.limits import RequestBounds
from api.security_headers import SecurityHeaders
from api.server_timing import ServerTiming
from api.service import Service
from api.v1 import (
    collections,
    embedding_enrolment,
    enrolment,
    imports,
    models,
    photos,
    renaming,
    search,
    status,
    subjects,
    verification,
    verify_many,
)

CONTRACTS = (match, face_database, compare, faces, deepface)
"""The modules of the older contracts."""

FORMS = {name: contract.error_answer for contract in CONTRACTS for name in contract.PATHS}
"""The format of errors by the first path segment; all other paths use the envelope of `api.errors`."""


@cache
def routes(keys_required: bool) -> FastAPI:
    """Build the routes, without middleware. Cached, because building them takes a tenth of a second.

    Routes find the service in `request.state.service`.
    """
    app = FastAPI(
        title="facegraph",
        version=health.VERSION,
        description="Face detection, liveness and recognition. References such as `see Thresholds` name sections of "
        "docs/v1.md.",
        # Starlette builds these redirects from the request's Host header.
        redirect_slashes=False,
        # Serve already traces each request, and FastAPI's spans would contain full paths, including ids of people.
        telemetry={"tracing": False, "operation_spans": False, "metrics": False, "logs": False},
    )
    enrolments = (enrolment, embedding_enrolment, imports)
    v1 = (models, status, photos, verify_many, collections, *enrolments, subjects, renaming, search, verification)
    for part in (health, metrics, *CONTRACTS, *v1):
        # With include_router, each request would be matched against the routes of its router twice.
        app.router.routes.extend(part.router.routes)
    page.install(app)
    errors.install(app, FORMS)
    openapi.install(app)
    scopes.install(app, keys_required)
    return app


def create_app(service: Service) -> ASGIApp:
    """Build the app that an ingress replica serves."""
    limits, access = service.limits, service.access
    routed, refuse = routes(access.require_keys), partial(errors.response, FORMS)
    keys, rates = Keys(access.keys_file), Rates(access.rate_limit, access.rate_burst)
    audit = Audit(Path(access.audit_log) if access.audit_log else None)
    rekognition: ASGIApp | None = None
    if access.rekognition_key_file:
        cipher = KeyCipher(Path(access.rekognition_key_file))
        rekognition = RekognitionEndpoint(access.forwarded_hops, keys, cipher, rates, audit, refuse)

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        # A copy, so that the request keeps its settings when the service gets new ones.
        scope.setdefault("state", {})["service"] = copy(service)
        await (rekognition if rekognition and has_target(scope) else routed)(scope, receive, send)

    admission = Admission(Deadline(served, limits.request_timeout, refuse), limits.max_requests, refuse)
    # Outside admission, so that requests without a valid key take no slot.
    admitted = Access(admission, access, keys, rates, audit, refuse)
    bounds = RequestBounds(admitted, limits.max_body, limits.max_import_size)
    bounded = SecurityHeaders(ServerTiming(bounds, service.requests, service.observe))
    # Outermost, so that other sites can also read error responses of the middleware.
    opened = OpenPaths(HeadRequests(bounded), limits.cors_origins)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # The middleware handles only requests; the other events are the server's start and end.
        await (opened if scope["type"] == "http" else routed)(scope, receive, send)

    return app
