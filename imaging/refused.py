"""The error type of rejected requests."""

from collections.abc import Mapping
from typing import Any


class Refused(Exception):
    """A request was rejected. Code and message are safe to show to the client.

    Attributes:
        code: stable identifier that clients branch on, such as ``INVALID_IMAGE``.
        message: one sentence for a person, without internals of the service.
        details: additional JSON values for programs.
    """

    def __init__(self, code: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(code, message, details)
        self.code = code
        self.message = message
        self.details = dict(details or {})

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def damaged() -> Refused:
    """Return the error for a damaged or incomplete file."""
    return Refused("INVALID_IMAGE", "The image is damaged and cannot be decoded")


def too_complex() -> Refused:
    """Return the error for a file that takes more work to decode than any real photo."""
    return Refused("IMAGE_TOO_COMPLEX", "The image's structure is too complex")


def too_large(max_bytes: int) -> Refused:
    """Return the error for an encoded photo of more than `max_bytes`."""
    return Refused("IMAGE_TOO_LARGE", f"The image exceeds the limit of {max_bytes} bytes")
