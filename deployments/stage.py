"""Calling a stage, in another replica or in this one."""

import logging
import time
from functools import partial
from types import SimpleNamespace
from typing import Any

from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from deployments.readiness import Readiness
from imaging.refused import Refused
from telemetry.call_window import CallWindow
from telemetry.status import Kind
from telemetry.timing import Call, Timed, record
from telemetry.tracing import isolate_spans

logger = logging.getLogger("ray.serve")

INGRESS = "ingress"
"""Name of the ingress's deployment."""


class Inside:
    """A stage of this very process, asked as a deployment's handle is.

    Args:
        stage: an object whose methods are coroutines.
    """

    deployment_name = INGRESS

    def __init__(self, stage: object) -> None:
        self._stage = stage

    def __getattr__(self, method: str) -> Any:
        return SimpleNamespace(remote=getattr(self._stage, method))


class StageCaller:
    """A stage's handle, whose failures are put into words and whose calls are recorded for the request.

    Args:
        kind: of the stage, as the request's timing has it, e.g. ``detector``.
        role: what clients know the stage by.
        handle: of its deployment.
        repeatable: whether a call may be made twice, as all may that change nothing. It is then made once
            more if the replica that took it dies.

    Attributes:
        calls: those of this process.
        readiness: whether the stage answers.
    """

    def __init__(
        self, kind: Kind, role: str, handle: DeploymentHandle[Any] | Inside, *, repeatable: bool = True
    ) -> None:
        self.kind = kind
        self.role = role
        self.calls = CallWindow()
        self.readiness = Readiness(f"{kind} {role}", lambda: self._handle.ready.remote())
        self._handle = handle
        self._repeatable = repeatable

    @property
    def host(self) -> str:
        """The deployment that the stage runs in."""
        return self._handle.deployment_name

    async def call(self, method: str, *args: Any, label: str = "", **options: Any) -> Any:
        """Call `method` on one replica.

        Args:
            label: what the request's timing calls it, if not by the stage's role.

        Raises:
            Refused: what the method answers instead of an answer; or ``UNAVAILABLE`` where no replica can
                take the call, or those that did died. A fault inside the method is raised as it is.
        """
        started, answer, failure, repeated = time.perf_counter(), None, "", False
        ask = partial(getattr(self._handle, method).remote, *args, **options)
        self.calls.begin()
        isolate_spans()
        try:
            try:
                answer = await ask()
            except RayActorError as error:
                if not self._repeatable:
                    raise
                # Another replica takes it, or waits in the router until there is one: the request's own time bounds it.
                logger.warning("the stage %s is asked once more after %r", self.role, error)
                repeated = True
                answer = await ask()
        except (BackPressureError, DeploymentUnavailableError, RayActorError) as error:
            failure = type(error).__name__
            logger.warning("the stage %s is not available: %r", self.role, error)
            raise Refused("UNAVAILABLE", f"The stage {self.role} is not available; try again shortly") from error
        except BaseException as error:
            failure = type(error).__name__
            raise
        finally:
            timed, ended = answer if isinstance(answer, Timed) else None, time.perf_counter()
            self.calls.end(started, ended)
            size = len(args[0]) if args and self.kind != "gallery" else None
            record(Call(self.kind, label or self.role, started, ended, timed, size, failure, repeated))
        self.readiness.answered()
        if isinstance(answer, Timed):
            return answer.answer
        if isinstance(answer, Refused):
            raise answer
        return answer

    def ready(self) -> bool:
        """Whether the stage is ready; see `deployments.readiness`."""
        return self.readiness.ready
