"""Reports pydantic's validation errors in words that need no knowledge of Python."""

import math
from collections.abc import Mapping
from typing import Any, Protocol

_OBJECT, _LIST = "Input should be an object with named fields", "Input should be a list"
_MESSAGES = {
    "dataclass_type": _OBJECT,
    "dict_type": _OBJECT,
    "extra_forbidden": "Unknown key",
    "model_attributes_type": _OBJECT,
    "model_type": _OBJECT,
    "tuple_type": _LIST,
}


class Problems(Protocol):
    """A pydantic ``ValidationError``, or FastAPI's error with the same method."""

    def errors(self) -> Any:
        """Return the problems as mappings with ``loc``, ``type`` and ``msg``."""


def main_problem(error: Problems) -> Mapping[str, Any]:
    """Return an unknown field if there is one, since it is often the misspelt name of a missing field."""
    problem: Mapping[str, Any] = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    return problem


def plain_message(problem: Mapping[str, Any]) -> str:
    """Return the message of one problem."""
    text: str = problem["msg"]
    if isinstance(given := problem.get("input"), float) and math.isnan(given):
        # Pydantic names the bound that every comparison with NaN violates.
        return "Input should be a finite number"
    return _MESSAGES.get(problem["type"], text.removeprefix("Value error, ").replace(" after validation", ""))
