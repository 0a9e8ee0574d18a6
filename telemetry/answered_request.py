"""What whoever watches the service is told of each request once it has been answered."""

from collections.abc import Callable
from dataclasses import dataclass

from telemetry.timing import Recorder


@dataclass(frozen=True, slots=True)
class AnsweredRequest:
    """A request that has been answered, or that nobody waits for any more.

    Attributes:
        method: of HTTP; ``OTHER`` where no route has it.
        route: the template of its path, e.g. ``/v1/collections/{collection}``; ``other`` where no route has it.
        status: of HTTP; 499 where the client left before the answer began.
        code: of the error; empty without one.
        seconds: from its arrival to the end of its answer.
        did: the calls of stages and the outcomes.
    """

    method: str
    route: str
    status: int
    code: str
    seconds: float
    did: Recorder


Observe = Callable[[AnsweredRequest], None]
"""Is told of every request. Costs microseconds, for the next one may be waiting."""


def unobserved(answered: AnsweredRequest) -> None:
    """Nobody watches."""
