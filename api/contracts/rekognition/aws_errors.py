"""Errors in AWS's format. Clients use the code and status to choose an exception and to decide whether to retry."""

from collections.abc import Mapping
from typing import Any

from project.request_error import RequestError

INVALID = ("InvalidParameterException", 400)

AWS_ERRORS: Mapping[str, tuple[str, int]] = {
    "UNAUTHENTICATED": ("MissingAuthenticationTokenException", 400),
    "INCOMPLETE_SIGNATURE": ("IncompleteSignatureException", 400),
    "INVALID_SIGNATURE": ("InvalidSignatureException", 400),
    "UNKNOWN_ACCESS_KEY": ("UnrecognizedClientException", 400),
    "FORBIDDEN": ("AccessDeniedException", 400),
    "UNKNOWN_OPERATION": ("UnknownOperationException", 400),
    "METHOD_NOT_ALLOWED": ("UnknownOperationException", 405),
    "INVALID_JSON": ("SerializationException", 400),
    "INVALID_IMAGE": ("InvalidImageFormatException", 400),
    "IMAGE_TOO_COMPLEX": ("InvalidImageFormatException", 400),
    "IMAGE_TOO_LARGE": ("ImageTooLargeException", 400),
    # Only an image can make a request too large.
    "BODY_TOO_LARGE": ("ImageTooLargeException", 400),
    "S3_OBJECT": ("InvalidS3ObjectException", 400),
    "COLLECTION_NOT_FOUND": ("ResourceNotFoundException", 400),
    "SUBJECT_NOT_FOUND": ("ResourceNotFoundException", 400),
    "FACE_NOT_FOUND": ("ResourceNotFoundException", 400),
    "COLLECTION_EXISTS": ("ResourceAlreadyExistsException", 400),
    "SUBJECT_EXISTS": ("ConflictException", 400),
    "IDEMPOTENCY_KEY_REUSED": ("IdempotentParameterMismatchException", 400),
    "EMBEDDING_CONTRACT_MISMATCH": ("ResourceNotReadyException", 400),
    "SIMILARITY_NOT_MEASURED": ("ResourceNotReadyException", 400),
    "INVALID_PAGE": ("InvalidPaginationTokenException", 400),
    "STORAGE_FULL": ("ServiceQuotaExceededException", 400),
    # Clients retry after the errors below.
    "RATE_LIMITED": ("ProvisionedThroughputExceededException", 400),
    "REQUEST_TIMEOUT": ("RequestTimeoutException", 408),
    "OVERLOADED": ("ThrottlingException", 500),
    "TIMEOUT": ("ServiceUnavailable", 503),
    "UNAVAILABLE": ("ServiceUnavailable", 503),
    "INTERNAL_ERROR": ("InternalServerError", 500),
    "COLLECTION_UNREADABLE": ("InternalServerError", 500),
}
"""AWS's code and the HTTP status by error code. Other errors become `INVALID`."""

MESSAGES: Mapping[str, str] = {
    "SUBJECT_NOT_FOUND": "The collection has no user with this UserId",
    "FACE_NOT_FOUND": "The collection has no face with this FaceId",
    "SUBJECT_EXISTS": "The collection already has a user with this UserId",
    "IDEMPOTENCY_KEY_REUSED": "ClientRequestToken was already used for a request with other parameters",
}
"""Messages that use AWS's terms instead of the gallery's."""


def error_answer(refused: RequestError, request_id: str) -> tuple[int, dict[str, Any]]:
    """Convert an error to the format of AWS's JSON protocol."""
    code, status = AWS_ERRORS.get(refused.code, INVALID)
    return status, {
        "__type": code,
        "Code": code,
        "Message": MESSAGES.get(refused.code, refused.message),
        "Logref": request_id,
    }
