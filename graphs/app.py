"""Build the application from its configuration."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import ray
from ray import serve
from ray.serve import Application, Deployment

from deployments.gallery import bind_gallery
from deployments.ingress import BoundStage, Ingress
from deployments.replicas import DetectorReplica, FaceNetworkReplica
from deployments.settings import StageArgs
from deployments.stage import Replica
from deployments.workers import Workers
from graphs.settings import AppArgs
from models.catalogue import networks_of
from models.originals import check_framework
from models.simulated import simulated_card
from models.store import Store
from models.tasks import DETECTOR

logger = logging.getLogger("ray.serve")


def build(args: AppArgs) -> Application:
    """Build the application; `import_path: graphs.app:build` in a Serve configuration. Runs on the cluster.

    Each stage is bound to the ingress by its role, and runs in a deployment called ``TASK-ROLE`` or inside the ingress.

    Raises:
        ModelError: a model is not in the catalogue, has not been pulled, or needs a framework that is not installed.
    """
    # A simulated device reserves shares of logical GPUs, if the cluster has any.
    gpus = args.device == "cuda" or (args.device != "cpu" and _cluster_gpus() > 0)
    simulation = args.simulation.simulation() if args.device == "simulated" else None
    if simulation:
        logger.warning("The device is simulated: no model runs, and the results are meaningless")
    store = Store(args.models_dir)
    shares = [{"num_cpus": args.ingress_cpus, "num_gpus": 0.0}]

    def bound(role: str, stage: StageArgs) -> BoundStage:
        entry = stage.card
        for network in networks_of(entry):
            store.exports(network)
            check_framework(network, stage.engine)
        if simulation:
            entry = simulated_card(entry)
        elif entry.superseded_by:
            logger.warning("The model %s of the stage %s is superseded by %s", entry.name, role, entry.superseded_by)
        device = stage.device(gpus, required=args.device == "cuda", simulation=simulation)
        replica: Callable[..., Replica[Any, Any]] = FaceNetworkReplica
        bindings: tuple[Any, ...] = (stage.model, args.models_dir, stage.engine, device)
        if entry.task == DETECTOR:
            replica, bindings = DetectorReplica, (*bindings, args.limits.decode, stage.options)
        if stage.place == "ingress":
            shares.append(stage.resources(gpus))
            return BoundStage(entry, partial(replica, *bindings))
        deployment: Any = serve.deployment(replica)
        # Overridden by the stage's entry in `deployments`. Serve's default holds calls back while replicas idle.
        placed = deployment.options(
            name=stage.deployment(role),
            ray_actor_options=stage.resources(gpus),
            max_ongoing_requests=args.limits.max_requests,
        )
        return BoundStage(entry, placed.bind(*bindings, workers=Workers(stage.workers)))

    stages = {role: bound(role, stage) for role, stage in args.stages.items()}
    share = {name: sum(share[name] for share in shares) for name in shares[0]}
    # serve.ingress is typed as if it returned the class, so mypy does not see a Deployment.
    ingress = cast(Deployment, Ingress).options(ray_actor_options=share)
    return ingress.bind(
        stages=stages,
        defaults=args.default_roles,
        limits=args.limits,
        downloads=args.addresses,
        gallery=bind_gallery(args.gallery),
        access=args.access,
        workers=args.ingress_workers,
    )


def _cluster_gpus() -> float:
    return float(ray.cluster_resources().get("GPU", 0))  # type: ignore[no-untyped-call]
