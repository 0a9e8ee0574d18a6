"""Errors as answers: each contract's form, a request id, and never a traceback."""

import logging
import re
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from imaging.refused import Refused

logger = logging.getLogger("ray.serve")

ErrorAnswer = Callable[[Refused, str], tuple[int, dict[str, Any]]]
"""From an error and the request's id to a status and a body."""

STATUSES = {
    "INVALID_REQUEST": 400,
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "COLLECTION_NOT_FOUND": 404,
    "SUBJECT_NOT_FOUND": 404,
    "FACE_NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "REQUEST_TIMEOUT": 408,
    "COLLECTION_EXISTS": 409,
    "COLLECTION_NOT_EMPTY": 409,
    "EMBEDDING_CONTRACT_MISMATCH": 409,
    "IDEMPOTENCY_KEY_REUSED": 409,
    "BODY_TOO_LARGE": 413,
    "RATE_LIMITED": 429,
    "INTERNAL_ERROR": 500,
    "COLLECTION_UNREADABLE": 500,
    "STORAGE_FULL": 507,
    "UNAVAILABLE": 503,
    "TIMEOUT": 503,
    "OVERLOADED": 503,
}
"""Status by code, where it is not 422: what the service can read but not use."""

GENERAL = frozenset(
    {
        "INVALID_REQUEST",
        "UNAUTHENTICATED",
        "FORBIDDEN",
        "NOT_FOUND",
        "METHOD_NOT_ALLOWED",
        "REQUEST_TIMEOUT",
        "BODY_TOO_LARGE",
        "RATE_LIMITED",
        "INTERNAL_ERROR",
        "STORAGE_FULL",
        "COLLECTION_UNREADABLE",
        "UNAVAILABLE",
        "TIMEOUT",
        "OVERLOADED",
    }
)
"""Codes about the request or the service as a whole; every contract has them."""

MOST_MESSAGE = 1000
"""Characters of an error's message."""
RETRY_AFTER_S = 1
"""After how many seconds a client may try again what passes by itself."""

_HTTP_CODES = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}
_REQUEST_ID = re.compile(r"[\w.-]{1,64}")


class ErrorInside(BaseModel):
    """What went wrong: a stable code, one sentence, and more for a program."""

    code: str
    message: str
    details: dict[str, Any]


class ErrorEnvelope(BaseModel):
    """The form of every error that is bound to no older contract."""

    error: ErrorInside
    request_id: str


ERRORS: dict[int | str, dict[str, Any]] = {
    "default": {"model": ErrorEnvelope, "description": "An error, with the status of its code"}
}
"""What routes of that form say of their errors."""


def envelope(refused: Refused, request_id: str) -> tuple[int, dict[str, Any]]:
    """The form of every route that is bound to no older contract."""
    error = {"code": refused.code, "message": refused.message, "details": refused.details}
    return STATUSES.get(refused.code, 422), {"error": error, "request_id": request_id}


def contract_status(code: str) -> int:
    """The status of an error in an older contract: 400 unless the code is a general one."""
    return STATUSES[code] if code in GENERAL else 400


def request_id_of(headers: Mapping[str, str]) -> str:
    """The caller's ``X-Request-ID`` where it is a fit one, else a new one."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def response(
    forms: Mapping[str, ErrorAnswer], request: Request, refused: Refused, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """An error in the form that `forms` has for its path's first part, or else in the envelope.

    Its code is left in `request.state.error_code`, for whoever counts them.
    """
    request.state.error_code = refused.code
    form = forms.get(request.url.path.split("/")[1], envelope)
    shown = Refused(refused.code, _printable(refused.message), refused.details)
    status, body = form(shown, request.state.request_id)
    if status == 503:
        headers = {**(headers or {}), "Retry-After": str(RETRY_AFTER_S)}
    return JSONResponse(body, status, headers)


def fault(request_id: str) -> Refused:
    """What a client is told of a fault of the service; the log has the rest."""
    return Refused("INTERNAL_ERROR", f"Internal error; quote request id {request_id}")


def install(app: FastAPI, forms: Mapping[str, ErrorAnswer]) -> None:
    """Answer every error of `app` as `response` has it."""
    answer = partial(response, forms)

    @app.exception_handler(Refused)
    async def on_refused(request: Request, refused: Refused) -> JSONResponse:
        return answer(request, refused)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return answer(request, Refused("INVALID_REQUEST", _first_problem(error)))

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> JSONResponse:
        # FastAPI wraps whatever goes wrong while it reads a body.
        if isinstance(error.__cause__, Refused):
            return answer(request, error.__cause__)
        code = _HTTP_CODES.get(error.status_code, "INVALID_REQUEST")
        return answer(request, Refused(code, str(error.detail)), error.headers)

    @app.exception_handler(Exception)
    async def on_fault(request: Request, error: Exception) -> JSONResponse:
        request_id = request.state.request_id
        logger.error("request %s failed: %r", request_id, error, exc_info=error)
        return answer(request, fault(request_id))


def _printable(message: str) -> str:
    # It may quote the request: at any length, and with halves of characters, which no answer can carry.
    return message.encode("utf-8", "replace").decode()[:MOST_MESSAGE]


def _first_problem(error: RequestValidationError) -> str:
    # A misspelt name before the one that is missed for it.
    problem = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    if problem["type"] == "json_invalid":
        return "The body is not valid JSON"
    message = "Input should be a file" if "Expected UploadFile" in problem["msg"] else problem["msg"]
    place = ".".join(str(part) for part in problem["loc"] if part != "body")
    if problem["type"] == "extra_forbidden":
        return f"{place} is not known in the JSON"
    if not place:
        return "The body is missing" if problem["type"] == "missing" else "The body is not a JSON object"
    return f"{place}: {message}"
