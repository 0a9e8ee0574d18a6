"""GET / and GET /health: who answers here, and whether every stage does."""

import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from fastapi import APIRouter, Request, Response

from api.padding import answered_dimensions
from api.service import Service
from graphs.settings import Policy
from graphs.stages import EmbedderStage, NetworkStage
from graphs.thresholds import configured

router = APIRouter(tags=["health"])

VERSION = metadata.version("facegraph")


@router.get("/")
async def get_root() -> dict[str, Any]:
    """Say what this is and where to read on."""
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
    """Tell whether every stage answers and could be started anew, and whether the gallery can be read.

    The stages are watched in the background: a busy one is ready as long as it answers any calls. `status` is
    ``healthy`` when all is well, ``degraded`` when something is not, and ``unhealthy``, with status 503,
    when no stage answers. `models` has the verdict by role (where a detector and an embedder share a role, that
    of both), `model_loaded` that of all of them, and `database_connected` the gallery's; `unreadable_collections`
    is how many collections cannot be read. `networks` names what stands behind each role, or behind
    ``KIND-ROLE`` where kinds share a role; of an embedder also its embeddings' length and /v1's threshold where
    nobody asks for another one. `service`, `model` and `embedding_dimensions` are of the embedder that the
    FaceNet contract uses, in the contract's width; `network_dimensions` is that network's own size.
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
