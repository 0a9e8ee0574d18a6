"""The ingress: HTTP in, stages behind."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray
from ray import serve
from ray.serve._private.constants import SERVE_CONTROLLER_NAME, SERVE_NAMESPACE
from ray.serve.handle import DeploymentHandle
from starlette.types import ASGIApp

from access.settings import AccessArgs
from api.addresses import Addresses
from api.app import create_app
from api.service import Service
from api.settings import AddressArgs, LimitArgs
from deployments.readiness import first_looks
from deployments.remote_gallery import RemoteGallery
from deployments.stage import Inside, StageCaller
from deployments.status import Controller, ServeStatus
from deployments.workers import Workers
from graphs.policy import Policy
from graphs.stages import DetectorStage, EmbedderStage, LivenessStage, Network, Stages
from models.card import Card
from telemetry.brief_cache import BriefCache
from telemetry.call_window import CallWindow
from telemetry.exposition import exposition
from telemetry.request_log import RequestLog
from telemetry.status import Kind
from telemetry.timing import note

logger = logging.getLogger("ray.serve")


@dataclass(frozen=True)
class Bound:
    """A stage as it is bound into the ingress: its card, and its deployment's handle or how to start it inside."""

    card: Card
    stage: "DeploymentHandle[Any] | partial[object]"

    def handle(self, workers: Workers) -> DeploymentHandle[Any] | Inside:
        """What to ask; a stage inside is started, and runs in `workers`."""
        return Inside(self.stage(workers=workers)) if isinstance(self.stage, partial) else self.stage

    @property
    def network(self) -> Network:
        """What the answers tell of it."""
        return Network(self.card.name, self.card.title, self.card.licence)


@serve.deployment(name="ingress")
@serve.ingress()
class Ingress:
    """Serves `api` over the stages.

    Args:
        detectors, liveness, embedders: the stages by role.
        default_detector: role of the detector that a request to /v1 gets unless it names another.
        limits: what the service lets in.
        addresses: which photos are fetched by address.
        gallery: handles of its writer and its reader.
        access: who may call.
        workers: calls of the stages inside that are worked on at once, all of them together.
    """

    async def __init__(  # type: ignore[misc]
        self,
        detectors: Mapping[str, Bound],
        liveness: Mapping[str, Bound],
        embedders: Mapping[str, Bound],
        default_detector: str,
        limits: LimitArgs,
        addresses: AddressArgs,
        gallery: tuple[DeploymentHandle[Any], DeploymentHandle[Any]],
        access: AccessArgs,
        workers: int,
    ) -> None:
        shared, remote = Workers(workers), RemoteGallery(*gallery)
        watched: list[tuple[StageCaller, Network | None]] = []

        def called(kind: Kind, role: str, bound: Bound) -> StageCaller:
            caller = StageCaller(kind, role, bound.handle(shared))
            watched.append((caller, bound.network))
            return caller

        stages = Stages(
            detectors={role: _detector(bound, called("detector", role, bound)) for role, bound in detectors.items()},
            liveness={
                role: _liveness(bound, called("liveness", role, bound), lambda: self._service.policy)
                for role, bound in liveness.items()
            },
            embedders={role: _embedder(bound, called("embedder", role, bound)) for role, bound in embedders.items()},
            gallery=remote,
        )
        watched += [(remote.writer, None), (remote.reader, None)]
        # Held, since the loop itself holds no task.
        self._watching = [asyncio.create_task(stage.readiness.watch()) for stage, _ in watched]
        requests = CallWindow()
        self._service = Service(
            stages,
            limits,
            Policy().of(embedders),
            Addresses(addresses, limits.max_image_size),
            ServeStatus(_controller(), watched, requests),
            BriefCache(exposition),
            requests,
            RequestLog(),
            access,
            default_detector,
        )
        if not access.require_keys:
            logger.warning("Anybody who reaches this service may use all of it: REQUIRE_KEYS is not set")
        # No request reaches this replica before: the first answers would say that nothing is ready.
        await first_looks(stage.readiness for stage, _ in watched)

    def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Take a changed `user_config` over, without a restart; unknown keys and roles are refused."""
        self._service.policy = Policy(**user_config).of(self._service.stages.embedders)

    def __serve_build_asgi_app__(self) -> ASGIApp:
        return create_app(self._service)


def _controller() -> Controller:
    # It comes back under the same handle after a fault.
    actor = ray.get_actor(SERVE_CONTROLLER_NAME, SERVE_NAMESPACE)
    return Controller(actor, serve.get_replica_context().app_name)


def _detector(bound: Bound, stage: StageCaller) -> DetectorStage:
    return DetectorStage(bound.network, stage.ready, partial(stage.call, "detect"))


def _liveness(bound: Bound, stage: StageCaller, policy: Callable[[], Policy]) -> LivenessStage:
    async def score(*crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = await stage.call("run", *crops)
        live = sum(map(policy().is_live, scores.tolist()))
        note("liveness", "live", live)
        note("liveness", "spoof", len(scores) - live)
        return scores

    return LivenessStage(bound.network, stage.ready, bound.card.crops, score)


def _embedder(bound: Bound, stage: StageCaller) -> EmbedderStage:
    card = bound.card
    [size] = card.shape
    return EmbedderStage(
        bound.network,
        stage.ready,
        card.crops,
        size,
        card.embedding_contract,
        card.threshold("cosine").value,
        partial(stage.call, "run"),
    )
