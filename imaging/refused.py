"""The one error type of a request."""

from collections.abc import Mapping
from typing import Any


class Refused(Exception):
    """A request that is answered with an error, for a reason that the client can be told.

    Attributes:
        code: stable upper-snake identifier, e.g. ``INVALID_IMAGE``. Clients branch on it.
        message: one sentence for a person. Carries nothing of the service's inside.
        details: more for a program, as JSON has it.
    """

    def __init__(self, code: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(code, message, details)
        self.code = code
        self.message = message
        self.details = dict(details or {})

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def damaged() -> Refused:
    """The refusal of a photo whose file is broken or incomplete."""
    return Refused("INVALID_IMAGE", "The image is damaged and cannot be decoded")


def too_complex() -> Refused:
    """The refusal of a photo whose file needs more work than any photo does."""
    return Refused("IMAGE_TOO_COMPLEX", "The image is in more pieces than any photo")
