"""What goes wrong with a call."""

from collections.abc import Mapping
from typing import Any


class FacegraphError(Exception):
    """Every error of the client but those of its arguments, which are `ValueError`, `TypeError` and `OSError`."""


class NoAnswerError(FacegraphError):
    """No answer came: the service could not be reached, or the connection broke, or it took too long."""


class MalformedAnswerError(FacegraphError):
    """An answer that is not what /v1 promises, as a much older service, or something else, would give it."""


class ServiceError(FacegraphError):
    """The service answered with an error.

    Attributes:
        code: stable, such as ``NO_FACE_DETECTED``; docs/v1.md lists them. ``HTTP_502`` and the like where
            something else answered, such as a proxy.
        message: one sentence for a person.
        status: of HTTP.
        details: more for a program.
        request_id: under which the service's log has it; empty where its proxy, or something else, answered.
        retry_after: seconds after which the service asks to be asked again, if it does.
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
    """The request asks for what there is not, such as an unknown detector or a threshold of 7."""


class UnauthenticatedError(ServiceError):
    """There is no API key, or a wrong one."""


class ForbiddenError(ServiceError):
    """The API key may not do that, or not there."""


class NotFoundError(ServiceError):
    """There is no such collection, subject or face."""


class ConflictError(ServiceError):
    """What is there already is in the way: a collection of another embedder, faces, another contract, a used key."""


class TooLargeError(ServiceError):
    """The request has more bytes, or more values, than the service accepts."""


class RefusedPhotoError(ServiceError):
    """A photo is of no use: no photo, too large, without a face, with several, or with one of poor quality."""


class RateLimitedError(ServiceError):
    """Too many requests, even after the repetitions."""


class UnavailableError(ServiceError):
    """The service is overloaded, starting or too slow, even after the repetitions."""


class StorageFullError(ServiceError):
    """The gallery's disk is full; nothing was changed."""


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


def error_of(status: int, body: Any, retry_after: float | None) -> ServiceError:
    """The error of an answer.

    Args:
        status: of HTTP.
        body: what it has as JSON, None where it has none.
        retry_after: seconds, as its header has them.
    """
    match body:
        case {"error": {"code": str(code), "message": str(message)} as error, "request_id": str() | None as request_id}:
            found = _BY_CODE.get(code) or _BY_STATUS.get(status, ServiceError)
            details = error.get("details")
            about = details if isinstance(details, dict) else {}
            return found(code, message, status, about, request_id or "", retry_after)
    message = f"The answer has status {status} and not the form of this service's errors; is the address right?"
    return _BY_STATUS.get(status, ServiceError)(f"HTTP_{status}", message, status, retry_after=retry_after)
