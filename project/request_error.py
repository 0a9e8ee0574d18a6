"""The error type of rejected requests."""

from collections.abc import Mapping
from typing import Any


class RequestError(Exception):
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
