"""Error responses of the contracts in the OpenAPI document."""

from typing import Any

from pydantic import BaseModel

Responses = dict[int | str, dict[str, Any]]


def error_responses(model: type[BaseModel], invalid: str) -> Responses:
    """Describe the error responses of a contract.

    Args:
        model: body of every error.
        invalid: description of the status 400.
    """
    descriptions: dict[int | str, str] = {
        400: invalid,
        413: "The request is too large",
        503: "A stage is not available, or the request timed out",
        "default": "Internal error",
    }
    return {status: {"model": model, "description": text} for status, text in descriptions.items()}
