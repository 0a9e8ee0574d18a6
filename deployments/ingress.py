"""The ingress: serves HTTP and calls the stages."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import ray
from ray import serve
from ray.serve._private.constants import SERVE_CONTROLLER_NAME, SERVE_NAMESPACE
from ray.serve.handle import DeploymentHandle
from starlette.types import ASGIApp

from access.settings import AccessArgs
from api.app import create_app
from api.photo_downloads import PhotoDownloads
from api.service import Service
from api.settings import DownloadArgs, LimitArgs
from deployments.readiness import first_looks
from deployments.remote_gallery import RemoteGallery
from deployments.settings import INGRESS
from deployments.stage import Caller, Replica, StageCaller
from deployments.status import ServeStatus
from deployments.usage import Usage
from deployments.workers import Workers
from graphs.flow_settings import FlowSettings
from graphs.stages import Stages
from models.card import Card
from models.tasks import DETECTOR
from telemetry.brief_cache import BriefCache
from telemetry.call_window import CallWindow
from telemetry.exposition import exposition
from telemetry.request_log import RequestLog

logger = logging.getLogger("ray.serve")


@dataclass(frozen=True)
class BoundStage:
    """A stage bound to the ingress: its card, and its deployment's handle or a factory to run it in the ingress."""

    card: Card
    stage: "DeploymentHandle[Any] | partial[Replica[Any, Any]]"

    def caller(self, role: str, workers: Workers) -> StageCaller[Any, Any]:
        """Return the caller of the stage. A stage inside the ingress is started here and runs in `workers`."""
        if isinstance(self.stage, partial):
            replica = self.stage(workers=workers)
            return StageCaller(role, self.card, replica.answer, replica.ready, INGRESS)
        handle = self.stage
        return StageCaller(role, self.card, handle.answer.remote, handle.ready.remote, handle.deployment_name)


@serve.deployment(name="ingress")
@serve.ingress()
class Ingress:
    """Serves the HTTP API.

    Args:
        stages: stages by role.
        defaults: default role of each task for requests to /v1.
        limits: limits of requests.
        downloads: settings for fetching photos by URL.
        gallery: handles of the gallery's writer and reader.
        access: settings for keys, rates and the audit log.
        workers: number of concurrent calls of all stages inside the ingress.
    """

    async def __init__(  # type: ignore[misc]
        self,
        stages: Mapping[str, BoundStage],
        defaults: Mapping[str, str],
        limits: LimitArgs,
        downloads: DownloadArgs,
        gallery: tuple[DeploymentHandle[Any], DeploymentHandle[Any]],
        access: AccessArgs,
        workers: int,
    ) -> None:
        shared, gallery_client = Workers(workers), RemoteGallery(*gallery)
        callers = {role: bound.caller(role, shared) for role, bound in stages.items()}
        watched: list[Caller] = [*callers.values(), gallery_client.writer, gallery_client.reader]
        of_stages = Stages(
            detectors={role: caller for role, caller in callers.items() if caller.card.task == DETECTOR},
            networks={role: caller for role, caller in callers.items() if caller.card.task != DETECTOR},
            defaults=defaults,
            gallery=gallery_client,
        )
        # Most requests wait for other deployments, so the CPU time shows how busy this replica is.
        self._usage = Usage(time.process_time, workers)
        # The event loop keeps only weak references to tasks.
        self._watching = [asyncio.create_task(stage.readiness.watch()) for stage in watched]
        requests = CallWindow()
        self._service = Service(
            of_stages,
            limits,
            FlowSettings().checked_for(of_stages.roles),
            PhotoDownloads(downloads, limits.max_image_size),
            _status(watched, requests),
            BriefCache(exposition),
            requests,
            RequestLog(),
            access,
        )
        if not access.require_keys:
            logger.warning("Anyone who can reach this service can use all of it: REQUIRE_KEYS is not set")
        # Serve sends no requests before this returns, so even the first probes see the actual readiness of the stages.
        await first_looks(stage.readiness for stage in watched)

    def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Apply a changed `user_config` without a restart. Unknown keys and roles are rejected."""
        self._service.settings = FlowSettings(**user_config).checked_for(self._service.stages.roles)

    def record_autoscaling_stats(self) -> dict[str, float]:
        """Return what the replica uses; Serve passes it on to the autoscaling policy."""
        return self._usage.measure()

    def __serve_build_asgi_app__(self) -> ASGIApp:
        return create_app(self._service)


def _status(watched: Sequence[Caller], requests: CallWindow) -> ServeStatus:
    # The handle remains valid when the controller restarts.
    controller = ray.get_actor(SERVE_CONTROLLER_NAME, SERVE_NAMESPACE)
    return ServeStatus(controller, serve.get_replica_context().app_name, watched, requests)
