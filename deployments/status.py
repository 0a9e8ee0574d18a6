"""State of the stages, from their readiness, Serve's controller, and the calls of this replica."""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ray.exceptions import RayError

from deployments.stage import INGRESS, StageCaller
from graphs.stages import Network
from imaging.refused import Refused
from telemetry.brief_cache import BriefCache
from telemetry.call_window import CallWindow
from telemetry.status import Replicas, StageStatus

logger = logging.getLogger("ray.serve")

CONTROLLER_TIMEOUT_S = 2.0

_STATES = {"RUNNING": "running", "STOPPING": "stopping", "PENDING_MIGRATION": "stopping"}
"""Serve's states of a replica; every other one is on its way to RUNNING."""


class Controller:
    """Serve's controller, as far as it tells of replicas.

    Args:
        actor: its handle.
        application: the one that is asked about.
    """

    def __init__(self, actor: Any, application: str) -> None:
        self._actor = actor
        self._application = application

    async def replicas(self) -> dict[str, Replicas]:
        """The replicas of each deployment.

        Raises:
            Refused: ``UNAVAILABLE``: the controller does not answer in time, or does not know the application.
        """
        try:
            async with asyncio.timeout(CONTROLLER_TIMEOUT_S):
                details = await self._actor.get_serve_instance_details.remote()
            deployments = details["applications"][self._application]["deployments"]
        except (RayError, TimeoutError, KeyError) as error:
            logger.warning("Serve's controller does not tell of its replicas: %r", error)
            raise Refused("UNAVAILABLE", "Ray Serve's controller does not answer; try again shortly") from error
        return {name: _replicas(each) for name, each in deployments.items()}


def _replicas(deployment: Mapping[str, Any]) -> Replicas:
    states = Counter(_STATES.get(replica["state"], "starting") for replica in deployment["replicas"])
    return Replicas(**states, wanted=deployment["target_num_replicas"])


class ServeStatus:
    """Tells how the stages and the ingress are: a `telemetry.status.Status`.

    Args:
        controller: knows the replicas.
        stages: what is told of, in order, each with the network behind it; then comes the ingress.
        requests: those of this replica of the ingress.
    """

    def __init__(
        self, controller: Controller, stages: Sequence[tuple[StageCaller, Network | None]], requests: CallWindow
    ) -> None:
        self._replicas = BriefCache(controller.replicas)
        self._stages = stages
        self._requests = requests

    async def __call__(self) -> list[StageStatus]:
        """How all are; raises `Refused` as `Controller.replicas` does."""
        replicas = await self._replicas()
        told = [
            StageStatus(
                f"{stage.kind}-{stage.role}" if network else stage.host,
                stage.kind,
                stage.role if network else None,
                network,
                stage.ready(),
                replicas.get(stage.host, Replicas()),
                stage.calls.statistics,
            )
            for stage, network in self._stages
        ]
        ingress = replicas.get(INGRESS, Replicas())
        return [*told, StageStatus(INGRESS, "ingress", None, None, True, ingress, self._requests.statistics)]
