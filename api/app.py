"""The ASGI app: every route, the errors' forms, and the bounds around them."""

from functools import partial

from fastapi import FastAPI
from starlette.types import ASGIApp

from api import errors, health
from api.admission import Admission
from api.contracts import compare, deepface, face_database, faces, match
from api.cors import OpenPaths
from api.limits import RequestBounds
from api.server_timing import ServerTiming
from api.service import Service
from api.v1 import collections, enrolment, models, photos, search, subjects

CONTRACTS = (match, face_database, compare, faces, deepface)
"""The modules of `api.contracts`."""

FORMS = {name: contract.error_answer for contract in CONTRACTS for name in contract.PATHS}
"""The form of errors by a path's first part; every other path has the envelope of `api.errors`."""


def routes(service: Service) -> FastAPI:
    """The routes, without bounds."""
    app = FastAPI(title="facegraph", version=health.VERSION, description="Face detection, liveness and recognition.")
    app.state.service = service
    for part in (health, *CONTRACTS, models, photos, collections, enrolment, subjects, search):
        app.include_router(part.router)
    errors.install(app, FORMS)
    return app


def create_app(service: Service) -> ASGIApp:
    """The app that an ingress replica serves."""
    limits = service.limits
    admission = Admission(routes(service), limits.max_requests, partial(errors.response, FORMS))
    # Outside the bounds, so that what they refuse can be read by the page that asked.
    return OpenPaths(ServerTiming(RequestBounds(admission, limits.max_body)), limits.cors_origins)
