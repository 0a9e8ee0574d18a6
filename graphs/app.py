"""Build the application from its configuration."""

import logging
import math
import sys
from collections.abc import Callable
from functools import partial
from shlex import quote
from typing import Any, cast

import ray
from ray import serve
from ray.serve import Application, Deployment

from deployments.detector import DetectorReplica
from deployments.face_network import FaceNetworkReplica
from deployments.gallery import GalleryReader, GalleryWriter
from deployments.ingress import BoundStage, Ingress
from deployments.settings import StageArgs
from deployments.stage import Replica
from deployments.workers import Workers
from gallery.location import Location
from gallery.settings import GalleryArgs
from graphs.settings import AppArgs
from models.catalogue import networks_of
from models.device import Device
from models.originals import check_framework
from models.store import Store
from models.tasks import DETECTOR

logger = logging.getLogger("ray.serve")


def build(args: AppArgs) -> Application:
    """Build the application; `import_path: graphs.app:build` in a Serve configuration. Runs on the cluster.

    Binds each stage to the ingress by its role, as a deployment called ``TASK-ROLE`` or to run inside the ingress.

    Raises:
        ModelError: a model is not in the catalogue, has not been pulled, or needs a framework that is not installed.
    """
    gpus = args.device == "cuda" or (args.device == "auto" and _cluster_gpus() > 0)
    store = Store(args.models_dir)
    shares = [{"num_cpus": args.ingress_cpus, "num_gpus": 0.0}]

    def bound(role: str, stage: StageArgs) -> BoundStage:
        entry = stage.card
        for network in networks_of(entry):
            store.exports(network)
            check_framework(network, stage.engine)
        if entry.superseded_by:
            logger.warning("The model %s of the stage %s is superseded by %s", entry.name, role, entry.superseded_by)
        device = _device(stage, gpus, required=args.device == "cuda")
        replica: Callable[..., Replica[Any, Any]] = FaceNetworkReplica
        bindings: tuple[Any, ...] = (stage.model, args.models_dir, stage.engine, device)
        if entry.task == DETECTOR:
            replica, bindings = DetectorReplica, (*bindings, args.limits.decode, stage.options)
        if stage.place == "ingress":
            shares.append(_share(stage, gpus))
            return BoundStage(entry, partial(replica, *bindings))
        deployment: Any = serve.deployment(replica)
        placed = deployment.options(name=f"{entry.task}-{role}", ray_actor_options=_share(stage, gpus))
        return BoundStage(entry, placed.bind(*bindings, workers=Workers(stage.workers)))

    stages = {role: bound(role, stage) for role, stage in args.stages.items()}
    share = {name: sum(share[name] for share in shares) for name in shares[0]}
    # serve.ingress is typed as if it returned the class, so that mypy does not see a Deployment.
    ingress = cast(Deployment, Ingress).options(ray_actor_options=share)
    return ingress.bind(
        stages=stages,
        defaults=args.default_roles,
        limits=args.limits,
        addresses=args.addresses,
        gallery=_gallery(args.gallery),
        access=args.access,
        workers=args.ingress_workers,
    )


def _gallery(args: GalleryArgs) -> tuple[Application, Application]:
    """Bind the writer and the reader. If the gallery is a folder, both run on the head node, which has the folder."""
    location = Location(args.uri, args.storage_options)
    node = {"resources": {"node:__internal_head__": 0.001}} if location.folder else {}

    def placed(deployment: Any, cpus: float, threads: int) -> Any:
        # By default, Ray sets OMP_NUM_THREADS to 1 for a replica with fewer than two CPUs.
        environment: dict[str, Any] = {"env_vars": {"OMP_NUM_THREADS": str(threads)}}
        if (python := quote(sys.executable)) != sys.executable:
            # Ray passes the path of the interpreter to a shell without quoting it.
            environment["py_executable"] = python
        options = {"num_cpus": cpus, "num_gpus": 0, "runtime_env": environment, **node}
        return deployment.options(ray_actor_options=options)

    writer = placed(GalleryWriter, args.writer_cpus, 1)
    reader = placed(GalleryReader, args.reader_cpus, args.reader_threads)
    return (
        writer.bind(location, args.index_rows, args.optimise_s, args.clean_s),
        reader.bind(location, args.exact_mb),
    )


def _cluster_gpus() -> float:
    return float(ray.cluster_resources().get("GPU", 0))  # type: ignore[no-untyped-call]


def _share(stage: StageArgs, gpus: bool) -> dict[str, float]:
    """Return the resources that a replica reserves."""
    return {"num_cpus": stage.cpus, "num_gpus": stage.gpus if gpus else 0}


def _device(stage: StageArgs, gpus: bool, required: bool) -> Device:
    threads = math.ceil(stage.cpus)
    if not gpus or stage.gpus == 0:
        return Device("cpu", threads)
    return Device("cuda", threads, stage.gpu_memory_mb * 2**20, required)
