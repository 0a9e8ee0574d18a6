"""Error responses in each contract's format, with a request id and no traceback."""

import logging
import re
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match

from api.contracts.rekognition import aws_errors
from api.contracts.rekognition.target import has_target
from project.request_error import RequestError
from project.validation import main_problem, plain_message

logger = logging.getLogger("ray.serve")

ErrorAnswer = Callable[[RequestError, str], tuple[int, dict[str, Any]]]
"""Turns an error and a request id into a status and a body."""
Refuse = Callable[[Request, RequestError], Response]
"""Builds the response to a rejected request."""

GENERAL_STATUSES = {
    "INVALID_REQUEST": 400,
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "REQUEST_TIMEOUT": 408,
    "BODY_TOO_LARGE": 413,
    "RATE_LIMITED": 429,
    "INTERNAL_ERROR": 500,
    "COLLECTION_UNREADABLE": 500,
    "STORAGE_FULL": 507,
    "UNAVAILABLE": 503,
    "TIMEOUT": 503,
    "OVERLOADED": 503,
}
"""HTTP status of the codes that every contract can return."""

STATUSES = GENERAL_STATUSES | {
    "COLLECTION_NOT_FOUND": 404,
    "SUBJECT_NOT_FOUND": 404,
    "FACE_NOT_FOUND": 404,
    "COLLECTION_EXISTS": 409,
    "SUBJECT_EXISTS": 409,
    "COLLECTION_NOT_EMPTY": 409,
    "EMBEDDING_CONTRACT_MISMATCH": 409,
    "IDEMPOTENCY_KEY_REUSED": 409,
}
"""HTTP status by error code. Any other code maps to 422: the request is well-formed but cannot be processed."""

MAX_MESSAGE = 1000
"""Maximum length of an error message, in characters."""
RETRY_AFTER_S = 1
"""Seconds after which a client may retry a temporary error."""

_HTTP_CODES = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}
_REQUEST_ID = re.compile(r"[\w.-]{1,64}")


class ErrorInside(BaseModel):
    """A stable error code, a one-sentence message, and machine-readable details."""

    code: str
    message: str
    details: dict[str, Any]


class ErrorEnvelope(BaseModel):
    """The body of every error of a route that does not belong to an older contract."""

    error: ErrorInside
    request_id: str


ERRORS: dict[int | str, dict[str, Any]] = {
    "default": {"model": ErrorEnvelope, "description": "Error; the status depends on the code"}
}
"""OpenAPI responses of routes whose errors have the envelope."""


def envelope(refused: RequestError, request_id: str) -> tuple[int, dict[str, Any]]:
    """Return the status and body of an error outside the older contracts."""
    error = {"code": refused.code, "message": refused.message, "details": refused.details}
    return STATUSES.get(refused.code, 422), {"error": error, "request_id": request_id}


def contract_status(code: str) -> int:
    """Return the status of an error in an older contract: 400 unless the code is in `GENERAL_STATUSES`."""
    return GENERAL_STATUSES.get(code, 400)


def request_id_of(headers: Mapping[str, str]) -> str:
    """Return the caller's ``X-Request-ID`` if it is valid, else a new id."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def response(
    forms: Mapping[str, ErrorAnswer], request: Request, refused: RequestError, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Build an error response, and store its code in `request.state.error_code` for the metrics.

    AWS clients get the format of AWS. For others, `forms` maps the first path segment to a contract's format; the
    default is the envelope.
    """
    request.state.error_code = refused.code
    form = forms.get(request.url.path.split("/")[1], envelope)
    form = aws_errors.error_answer if has_target(request.scope) else form
    shown = RequestError(refused.code, _printable(refused.message), refused.details)
    status, body = form(shown, request.state.request_id)
    added = dict(headers or {})
    if status == 401:
        added["WWW-Authenticate"] = "Bearer"
    if wait := refused.details.get("retry_after", RETRY_AFTER_S if status == 503 else None):
        added["Retry-After"] = str(wait)
    return JSONResponse(body, status, added)


def fault(request: Request, error: Exception) -> RequestError:
    """Log an internal error, and return the error for the client, which has no details."""
    request_id = request.state.request_id
    logger.error("request %s failed: %r", request_id, error, exc_info=error)
    return RequestError("INTERNAL_ERROR", f"Internal error; quote request id {request_id}")


def install(app: FastAPI, forms: Mapping[str, ErrorAnswer]) -> None:
    """Register exception handlers that respond with `response`."""
    answer = partial(response, forms)

    @app.exception_handler(RequestError)
    async def on_refused(request: Request, refused: RequestError) -> JSONResponse:
        return answer(request, refused)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return answer(request, RequestError("INVALID_REQUEST", _first_problem(error)))

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> JSONResponse:
        # FastAPI wraps any error raised while it reads a body.
        if isinstance(error.__cause__, RequestError):
            return answer(request, error.__cause__)
        path, code = request.url.path[:200], _HTTP_CODES.get(error.status_code, "INVALID_REQUEST")
        if code == "NOT_FOUND":
            return answer(request, RequestError(code, f"There is no route {path}"))
        if code == "METHOD_NOT_ALLOWED":
            allowed = _methods(request)
            told = f"{path} does not accept {request.method}, only {allowed}"
            return answer(request, RequestError(code, told), {"Allow": allowed})
        return answer(request, RequestError(code, str(error.detail)), error.headers)

    @app.exception_handler(Exception)
    async def on_fault(request: Request, error: Exception) -> JSONResponse:
        return answer(request, fault(request, error))


def _printable(message: str) -> str:
    # A message may quote the request, so it can be long or contain lone surrogates, which UTF-8 cannot encode.
    return message.encode("utf-8", "replace").decode()[:MAX_MESSAGE]


def _methods(request: Request) -> str:
    # Starlette's error names only the methods of the first route with this path.
    found = (route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE)
    methods = {method for route in found for method in getattr(route, "methods", None) or ()}
    # No route matches a file of the page.
    return ", ".join(sorted(methods)) or "GET, HEAD"


def _first_problem(error: RequestValidationError) -> str:
    problem = main_problem(error)
    if problem["type"] == "json_invalid":
        return "The body is not valid JSON"
    text = "Input should be a file, not text" if "Expected UploadFile" in problem["msg"] else plain_message(problem)
    place = ".".join(str(part) for part in problem["loc"] if part != "body")
    if problem["type"] == "extra_forbidden":
        return f"Unknown field {place} in the JSON body"
    if not place:
        return "The body is missing" if problem["type"] == "missing" else "The body is not a JSON object"
    return f"{place}: {text}"
