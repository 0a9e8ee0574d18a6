"""The ASGI app: every route, the errors' forms, and the bounds around them."""

from copy import copy
from functools import cache, partial
from pathlib import Path

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from access.audit import Audit
from access.keys import Keys
from access.rates import Rates
from api import errors, health, metrics, page, probes, scopes
from api.access import Access
from api.admission import Admission
from api.contracts import compare, deepface, face_database, faces, match
from api.cors import OpenPaths
from api.deadline import Deadline
from api.limits import RequestBounds
from api.security_headers import SecurityHeaders
from api.server_timing import ServerTiming
from api.service import Service
from api.v1 import collections, enrolment, models, photos, search, status, subjects

CONTRACTS = (match, face_database, compare, faces, deepface)
"""The modules of `api.contracts`."""

FORMS = {name: contract.error_answer for contract in CONTRACTS for name in contract.PATHS}
"""The form of errors by a path's first part; every other path has the envelope of `api.errors`."""


@cache
def routes(keys_required: bool) -> FastAPI:
    """The routes, without bounds: for any service, since to build them takes a tenth of a second.

    Each request has its own in `request.state.service`.
    """
    app = FastAPI(
        title="facegraph",
        version=health.VERSION,
        description="Face detection, liveness and recognition.",
        # Starlette makes these redirects of the request's Host.
        redirect_slashes=False,
        # Serve traces each request already, and FastAPI's spans would have whole paths, ids of people among them.
        telemetry={"tracing": False, "operation_spans": False, "metrics": False, "logs": False},
    )
    for part in (health, probes, metrics, *CONTRACTS, models, status, photos, collections, enrolment, subjects, search):
        app.include_router(part.router)
    page.install(app)
    errors.install(app, FORMS)
    scopes.install(app, keys_required)
    return app


def _served(service: Service) -> ASGIApp:
    app = routes(service.access.require_keys)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        # A copy, so that the request keeps its policy when the service gets a new one.
        scope.setdefault("state", {})["service"] = copy(service)
        await app(scope, receive, send)

    return serve


def create_app(service: Service) -> ASGIApp:
    """The app that an ingress replica serves."""
    limits, access = service.limits, service.access
    refuse = partial(errors.response, FORMS)
    keys, rates = Keys(access.keys_file), Rates(access.rate_limit, access.rate_burst)
    audit = Audit(Path(access.audit_log) if access.audit_log else None)
    admission = Admission(Deadline(_served(service), limits.request_timeout, refuse), limits.max_requests, refuse)
    # Before the places are counted: a stranger takes none.
    admitted = Access(admission, access, keys, rates, audit, refuse)
    bounded = SecurityHeaders(ServerTiming(RequestBounds(admitted, limits.max_body), service.requests, service.observe))
    # Outside the bounds, so that what they refuse can be read by the page that asked.
    return OpenPaths(bounded, limits.cors_origins)
