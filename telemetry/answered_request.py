"""The record of a completed request, passed to functions that report requests."""

from collections.abc import Callable
from dataclasses import dataclass

from telemetry.request_record import RequestRecord


@dataclass(frozen=True, slots=True)
class AnsweredRequest:
    """A request that has been completed, or whose client has disconnected.

    Attributes:
        method: the HTTP method; ``OTHER`` if no route has it.
        route: the path's template, e.g. ``/v1/collections/{collection}``; ``other`` if no route matches.
        status: the HTTP status; 499 if the client left before the answer began.
        code: the error code; empty if there was no error.
        seconds: from the arrival of the request to the end of its answer.
        did: its stage calls and outcomes.
    """

    method: str
    route: str
    status: int
    code: str
    seconds: float
    did: RequestRecord


Observe = Callable[[AnsweredRequest], None]
"""Called once for each request. Must return within microseconds, since other requests wait."""


def unobserved(answered: AnsweredRequest) -> None:
    """Report nothing."""
