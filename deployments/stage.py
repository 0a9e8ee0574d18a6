"""Calling a stage from another replica."""

import asyncio
import logging
from typing import Any

from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from imaging.refused import Refused

logger = logging.getLogger("ray.serve")

READY_TIMEOUT_S = 2.0


class StageCaller:
    """A stage's handle, whose failures are put into words.

    Args:
        role: what clients know the stage by.
        handle: of its deployment.
    """

    def __init__(self, role: str, handle: DeploymentHandle[Any]) -> None:
        self._role = role
        self._handle = handle

    async def call(self, method: str, *args: Any, **options: Any) -> Any:
        """Call `method` on one replica.

        Raises:
            Refused: what the method answers instead of an answer; or ``UNAVAILABLE`` where no replica can
                take the call, or the one that did died. A fault inside the method is raised as it is.
        """
        try:
            answer = await getattr(self._handle, method).remote(*args, **options)
        except (BackPressureError, DeploymentUnavailableError, RayActorError) as error:
            logger.warning("the stage %s is not available: %r", self._role, error)
            raise Refused("UNAVAILABLE", f"The stage {self._role} is not available; try again shortly") from error
        if isinstance(answer, Refused):
            raise answer
        return answer

    async def ready(self) -> bool:
        """Whether a replica answers in time."""
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                await self._handle.ready.remote()
        except Exception as error:
            # Whatever keeps a stage from answering, the verdict is the same; the log has the cause.
            logger.warning("the stage %s is not ready: %r", self._role, error)
            return False
        return True
