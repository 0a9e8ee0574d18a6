"""Call stages in a deployment's replicas or inside this process.

Callers raise `RequestError` if a stage is unavailable, record calls for the request, and watch readiness.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Generic, Protocol, TypeVar

from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

from deployments.readiness import Readiness
from graphs.stages import DetectionRequest
from models.card import Card
from project.request_error import RequestError
from telemetry.call_window import CallWindow
from telemetry.request_record import StageCall, TimedAnswer, record_call
from telemetry.tracing import isolate_spans

logger = logging.getLogger("ray.serve")

Answer = TypeVar("Answer")
Question = TypeVar("Question")
Asks = TypeVar("Asks", contravariant=True)

Attempt = Callable[[], Awaitable[Answer | TimedAnswer[Answer] | RequestError]]
"""Makes one call and returns the result or the stage's `RequestError`. May be called again if the replica died."""


class Replica(Protocol[Asks, Answer]):
    """Runs a stage in a deployment's replica, or inside the ingress."""

    async def answer(self, question: Asks, /) -> TimedAnswer[Answer]:
        """Process one call."""

    async def ready(self) -> None:
        """Return if the stage can process calls; raise an error otherwise."""


class Caller:
    """Calls one deployment, or one stage inside this process.

    Args:
        kind: name of the stage in a request's timing: its task, or ``gallery``.
        role: name of the stage for clients.
        host: name of the deployment that it runs in.
        ready: returns if the stage is ready; raises an error otherwise.
        repeatable: whether calls have no side effects, so that a call is repeated once if the replica dies.

    Attributes:
        calls: calls made by this process.
        readiness: whether the stage responds.
    """

    def __init__(
        self, kind: str, role: str, host: str, ready: Callable[[], Awaitable[Any]], *, repeatable: bool = True
    ) -> None:
        self.kind = kind
        self.role = role
        self.host = host
        self.calls = CallWindow()
        self.readiness = Readiness(kind if kind == role else f"{kind} {role}", ready)
        self._repeatable = repeatable

    async def call(self, ask: Attempt[Answer], *, label: str = "", size: int | None = None) -> Answer:
        """Make one call.

        Args:
            label: name of the call in the request's timing; the stage's role by default.
            size: number of photos or faces in the call.

        Raises:
            RequestError: the stage's own, or ``UNAVAILABLE`` if no replica is available or the replica dies. Other
                errors of the stage are raised unchanged.
        """
        started, answer, failure, repeated = time.perf_counter(), None, "", False
        self.calls.begin()
        isolate_spans()
        try:
            try:
                answer = await ask()
            except RayActorError as error:
                if not self._repeatable:
                    raise
                # The router waits for another replica, at most until the request times out.
                logger.warning("repeating the call to the stage %s after %r", self.role, error)
                repeated = True
                answer = await ask()
        except (BackPressureError, DeploymentUnavailableError, RayActorError) as error:
            failure = type(error).__name__
            logger.warning("the stage %s is not available: %r", self.role, error)
            raise RequestError("UNAVAILABLE", f"The stage {self.role} is not available; try again shortly") from error
        except BaseException as error:
            failure = type(error).__name__
            raise
        finally:
            timed, ended = answer if isinstance(answer, TimedAnswer) else None, time.perf_counter()
            self.calls.end(started, ended)
            record_call(StageCall(self.kind, label or self.role, started, ended, timed, size, failure, repeated))
        self.readiness.answered()
        if isinstance(answer, TimedAnswer):
            return answer.answer
        if isinstance(answer, RequestError):
            raise answer
        return answer

    def ready(self) -> bool:
        """Return whether the stage is ready; see `deployments.readiness`."""
        return self.readiness.ready


class StageCaller(Caller, Generic[Question, Answer]):
    """A `graphs.stages.Stage` that calls a replica and records the call.

    Args:
        role: name of the stage for clients.
        card: card of its model.
        answer, ready: methods of a `Replica` in this process, or the same methods of a deployment's handle.
        host: name of the deployment that it runs in.
    """

    def __init__(
        self,
        role: str,
        card: Card,
        answer: Callable[[Question], Awaitable[TimedAnswer[Answer]]],
        ready: Callable[[], Awaitable[None]],
        host: str,
    ) -> None:
        super().__init__(card.task, role, host, ready)
        self.card = card
        self._answer = answer

    async def ask(self, question: Question) -> Answer:
        """Call the replica. Raises as `Caller.call` does."""
        return await self.call(lambda: self._answer(question), size=_size(question))


def _size(question: object) -> int:
    """Return the number of photos or faces in a call."""
    if isinstance(question, DetectionRequest):
        return len(question.photos)
    return len(question[0]) if isinstance(question, tuple) else 1
