"""The client's exceptions."""

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import httpx


class FacegraphError(Exception):
    """Base class of the client's errors. Bad arguments raise `ValueError`, `TypeError` or `OSError` instead."""


class NoAnswerError(FacegraphError):
    """No response: the service is unreachable, the connection broke, or the request timed out."""


class MalformedAnswerError(FacegraphError):
    """The response does not follow the /v1 API. It may come from an older service or from something else."""


class ServiceError(FacegraphError):
    """The service responded with an error.

    Attributes:
        code: stable error code such as ``NO_FACE_DETECTED``, see docs/v1.md. ``HTTP_502`` and the like if something
            other than the service responded, such as a proxy.
        message: one sentence for people.
        status: HTTP status.
        details: additional data for programs.
        request_id: the request's id in the service's log; empty if something other than the service responded.
        retry_after: seconds to wait before the next attempt, or None.
    """

    def __init__(
        self,
        code: str,
        message: str,
        status: int,
        details: Mapping[str, Any] | None = None,
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(code, message, status, details, request_id, retry_after)
        self.code = code
        self.message = message
        self.status = status
        self.details = dict(details or {})
        self.request_id = request_id
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class InvalidRequestError(ServiceError):
    """The request is invalid, such as an unknown detector or a threshold of 7."""


class UnauthenticatedError(ServiceError):
    """The API key is missing or wrong."""


class ForbiddenError(ServiceError):
    """The API key does not permit this action, or does not permit it on this collection."""


class NotFoundError(ServiceError):
    """The collection, subject or face does not exist."""


class ConflictError(ServiceError):
    """The request conflicts with stored data, such as a collection with faces or another embedding contract."""


class TooLargeError(ServiceError):
    """The request has more bytes or more items than the service accepts."""


class RefusedPhotoError(ServiceError):
    """The photo was rejected: not an image, too large, no face, several faces, or a face of poor quality."""


class RateLimitedError(ServiceError):
    """Too many requests, after all retries."""


class UnavailableError(ServiceError):
    """The service is overloaded, starting or too slow, after all retries."""


class StorageFullError(ServiceError):
    """The gallery's disk is full. Nothing was changed."""


_BY_STATUS: dict[int, type[ServiceError]] = {
    400: InvalidRequestError,
    401: UnauthenticatedError,
    403: ForbiddenError,
    404: NotFoundError,
    405: InvalidRequestError,
    408: UnavailableError,
    409: ConflictError,
    413: TooLargeError,
    422: RefusedPhotoError,
    429: RateLimitedError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
    507: StorageFullError,
}
_BY_CODE: dict[str, type[ServiceError]] = dict.fromkeys(
    ("INVALID_SUBJECT", "INVALID_EMBEDDING", "UNKNOWN_DETECTOR", "UNKNOWN_EMBEDDER", "UNKNOWN_LIVENESS"),
    InvalidRequestError,
)
"""Codes whose status is 422 although no photo is at fault."""


def error_from(response: httpx.Response) -> ServiceError:
    """The exception for an error response."""
    status, retry_after = response.status_code, _retry_after_s(response.headers.get("Retry-After", ""))
    match json_body(response):
        case {"error": {"code": str(code), "message": str(message)} as error, "request_id": str() | None as request_id}:
            kind = _BY_CODE.get(code) or _BY_STATUS.get(status, ServiceError)
            details = error.get("details")
            return kind(
                code, message, status, details if isinstance(details, dict) else {}, request_id or "", retry_after
            )
    message = f"The response with status {status} is not in this service's error format; is the URL right?"
    return _BY_STATUS.get(status, ServiceError)(f"HTTP_{status}", message, status, retry_after=retry_after)


def json_body(response: httpx.Response) -> Any:
    """The parsed body of a response; None if it is not JSON."""
    try:
        return response.json()
    except ValueError:
        return None


def _retry_after_s(header: str) -> float | None:
    """Seconds from a ``Retry-After`` header, which holds seconds or a date; None for anything else."""
    if re.fullmatch("[0-9]{1,9}", header):
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - time.time())
