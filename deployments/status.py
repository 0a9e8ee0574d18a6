"""Status of the stages from their readiness, Serve's controller, and this replica's calls."""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ray.exceptions import RayError

from deployments.decisions import published
from deployments.settings import INGRESS
from deployments.stage import Caller, StageCaller
from project.request_error import RequestError
from telemetry.brief_cache import BriefCache
from telemetry.call_window import CallWindow
from telemetry.status import Replicas, StageStatus

logger = logging.getLogger("ray.serve")

CONTROLLER_TIMEOUT_S = 2.0

_STATES = {"RUNNING": "running", "STOPPING": "stopping", "PENDING_MIGRATION": "stopping"}
"""Status by Serve's state of a replica. In all other states, a replica counts as starting."""


async def count_replicas(controller: Any, application: str) -> dict[str, Replicas]:
    """Return the replicas of each deployment of an application, as Serve's controller reports them.

    Raises:
        RequestError: ``UNAVAILABLE`` if the controller does not respond in time or does not know the application.
    """
    try:
        async with asyncio.timeout(CONTROLLER_TIMEOUT_S):
            details = await controller.get_serve_instance_details.remote()
        deployments = details["applications"][application]["deployments"]
    except (RayError, TimeoutError, KeyError) as error:
        logger.warning("Serve's controller does not report its replicas: %r", error)
        raise RequestError("UNAVAILABLE", "Ray Serve's controller is not responding; try again shortly") from error
    return {name: _by_state(each) for name, each in deployments.items()}


def _by_state(deployment: Mapping[str, Any]) -> Replicas:
    states = Counter(_STATES.get(replica["state"], "starting") for replica in deployment["replicas"])
    return Replicas(**states, wanted=deployment["target_num_replicas"])


class ServeStatus:
    """Reports the status of the stages, the gallery and the ingress. Implements `telemetry.status.Status`.

    Args:
        controller: handle of Serve's controller.
        application: name of the application.
        callers: callers of the stages and the gallery, in the order of the report. The ingress comes last.
        requests: recent requests of this ingress replica.
    """

    def __init__(self, controller: Any, application: str, callers: Sequence[Caller], requests: CallWindow) -> None:
        self._replicas = BriefCache(partial(count_replicas, controller, application))
        self._decisions = BriefCache(partial(published, application))
        self._callers = callers
        self._requests = requests

    async def __call__(self) -> list[StageStatus]:
        """Return the status of each stage; raises `RequestError` as `count_replicas` does."""
        replicas, decisions, statuses = await self._replicas(), await self._decisions(), []
        for caller in self._callers:
            role, card, name, host = None, None, caller.host, caller.host
            if isinstance(caller, StageCaller):
                role, card, name = caller.role, caller.card, f"{caller.kind}-{caller.role}"
            count, decision, calls = replicas.get(host, Replicas()), decisions.get(host), caller.calls.statistics
            statuses.append(StageStatus(name, caller.kind, caller.ready(), count, calls, role, card, decision))
        count, calls, decision = replicas.get(INGRESS, Replicas()), self._requests.statistics, decisions.get(INGRESS)
        return [*statuses, StageStatus(INGRESS, INGRESS, True, count, calls, autoscaling=decision)]
