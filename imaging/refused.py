"""The error type of refused requests."""

from collections.abc import Mapping
from typing import Any


class Refused(Exception):
    """A request is refused, for a reason that the client may know.

    Attributes:
        code: stable identifier that clients branch on, such as ``INVALID_IMAGE``.
        message: one sentence for a person, without internals of the service.
        details: further JSON values for a program.
    """

    def __init__(self, code: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(code, message, details)
        self.code = code
        self.message = message
        self.details = dict(details or {})

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def damaged() -> Refused:
    """Return the refusal of a broken or incomplete file."""
    return Refused("INVALID_IMAGE", "The image is damaged and cannot be decoded")


def too_complex() -> Refused:
    """Return the refusal of a file that takes more work to decode than any real photo."""
    return Refused("IMAGE_TOO_COMPLEX", "The image consists of more pieces than any real photo")
