"""The ASGI app: every route, the errors' forms, and the bounds around them."""

from fastapi import FastAPI
from starlette.types import ASGIApp

from api import errors, health
from api.contracts import match
from api.limits import RequestBounds
from api.service import Service

CONTRACTS = (match,)
"""The modules of `api.contracts`."""

FORMS = {name: contract.error_answer for contract in CONTRACTS for name in contract.PATHS}
"""The form of errors by a path's first part; every other path has the envelope of `api.errors`."""


def routes(service: Service) -> FastAPI:
    """The routes, without bounds."""
    app = FastAPI(title="facegraph", version=health.VERSION, description="Face detection, liveness and recognition.")
    app.state.service = service
    app.include_router(health.router)
    for contract in CONTRACTS:
        app.include_router(contract.router)
    errors.install(app, FORMS)
    return app


def create_app(service: Service) -> ASGIApp:
    """The app that an ingress replica serves."""
    return RequestBounds(routes(service), service.limits.max_body)
