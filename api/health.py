"""GET / and GET /health: what this service is, and how it is."""

import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from fastapi import APIRouter, Request, Response

from api.padding import answered_dimensions
from api.service import Service
from graphs.policy import Policy
from graphs.stages import EmbedderStage, NetworkStage
from graphs.thresholds import configured

router = APIRouter(tags=["health"])

VERSION = metadata.version("facegraph")


@router.get("/")
async def get_root() -> dict[str, Any]:
    """Name the service and its addresses."""
    return {
        "message": "facegraph: face detection, liveness and recognition",
        "status": "healthy",
        "version": VERSION,
        "page": "/ui",
        "docs": "/docs",
        "health": "/health",
    }


@router.get("/health")
async def get_health(request: Request, response: Response) -> dict[str, Any]:
    """Report whether every stage answers and has its model's files, and whether the gallery can be read.

    The stages are watched in the background; a busy one is ready as long as it answers any calls.

    - `status`: ``healthy`` if all is well, ``degraded`` if something is not, ``unhealthy`` with status 503 if no
      stage answers.
    - `models`: whether each role is ready; where stages of two kinds share a role, whether both are.
    - `model_loaded`: whether all of them are ready; `database_connected`: whether the gallery is.
    - `unreadable_collections`: number of damaged collections.
    - `networks`: the network of each role, or of each ``KIND-ROLE`` where two kinds share a role. An embedder has
      `embedding_dimensions` and the `cosine_threshold` that /v1 applies by default.
    - `service`, `model`, `embedding_dimensions`, `network_dimensions`: of the FaceNet contract's embedder;
      `embedding_dimensions` includes the padding.
    """
    service: Service = request.state.service
    networks, gallery = service.stages.networks, service.stages.gallery
    verdicts = [stage.ready() for _, _, stage in networks]
    models: dict[str, bool] = {}
    for (_, role, _), verdict in zip(networks, verdicts, strict=True):
        models[role] = verdict and models.get(role, True)
    whole = all(verdicts) and gallery.ready() and not gallery.unreadable()
    if not any(verdicts):
        response.status_code = 503
    now = time.time()
    return {
        "status": "healthy" if whole else "degraded" if any(verdicts) else "unhealthy",
        "timestamp": now,
        "timestamp_iso": iso(datetime.fromtimestamp(now, UTC)),
        "models": models,
        "model_loaded": all(verdicts),
        "database_connected": gallery.ready(),
        "unreadable_collections": len(gallery.unreadable()),
        "service": "facegraph",
        **_facenet(service),
        "version": VERSION,
        "networks": _described(networks, service.policy),
    }


def iso(moment: datetime) -> str:
    """A time as ISO 8601 has it, in UTC: ``2024-01-15T12:00:00.000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _facenet(service: Service) -> dict[str, Any]:
    embedder = service.stages.embedders.get("facenet")
    if embedder is None:
        return {}
    return {
        "model": embedder.network.model,
        "embedding_dimensions": answered_dimensions(service, embedder.size),
        "network_dimensions": embedder.size,
    }


def _described(networks: Sequence[tuple[str, str, NetworkStage]], policy: Policy) -> dict[str, dict[str, Any]]:
    kinds = Counter(role for _, role, _ in networks)
    described = {}
    for kind, role, stage in networks:
        network = stage.network
        about: dict[str, Any] = {"model": network.model, "title": network.title, "licence": network.licence}
        if isinstance(stage, EmbedderStage):
            about |= {"embedding_dimensions": stage.size, "cosine_threshold": configured(policy, role, stage).value}
        described[role if kinds[role] == 1 else f"{kind}-{role}"] = about
    return described
