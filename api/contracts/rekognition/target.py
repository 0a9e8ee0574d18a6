"""Recognises the requests of the contract, and the operation that each names."""

from starlette.datastructures import Headers
from starlette.types import Scope

PREFIX = "RekognitionService."
"""Beginning of the header ``X-Amz-Target``."""


def has_target(connection: Scope) -> bool:
    """Whether a request is a ``POST /`` of an AWS client."""
    return (
        connection["path"] == "/" and connection.get("method") == "POST" and "x-amz-target" in Headers(scope=connection)
    )


def target_of(connection: Scope) -> str:
    """Return the operation that a request with a target names, such as ``DetectFaces``; empty for other services."""
    target = Headers(scope=connection)["x-amz-target"]
    return target.removeprefix(PREFIX) if target.startswith(PREFIX) else ""
