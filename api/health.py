"""GET / and GET /health: who answers here, and whether every stage does."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from fastapi import APIRouter, Request, Response

from api.padding import answered_dimensions
from api.service import Service
from graphs.settings import Policy
from graphs.stages import DetectorStage, EmbedderStage, LivenessStage
from graphs.thresholds import configured

router = APIRouter(tags=["health"])

VERSION = metadata.version("facegraph")

Stage = DetectorStage | LivenessStage | EmbedderStage


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
    """Ask every stage whether it answers and could be started anew, and the gallery whether each table opens.

    `status` is ``healthy`` when all do, ``degraded`` when some do, and ``unhealthy``, with status 503,
    when none does. `models` has the verdict by role, `model_loaded` that of all of them, and
    `database_connected` the gallery's. `networks` names what stands behind each role; of an embedder also
    its embeddings' length and /v1's threshold where nobody asks for another one. `service`, `model` and
    `embedding_dimensions` are of the embedder that the FaceNet contract uses, in the contract's width;
    `network_dimensions` is that network's own size.
    """
    service: Service = request.state.service
    stages: Mapping[str, Stage] = {**service.stages.detectors, **service.stages.liveness, **service.stages.embedders}
    *verdicts, database = await asyncio.gather(
        *(stage.ready() for stage in stages.values()), service.stages.gallery.ready()
    )
    ready = dict(zip(stages, verdicts, strict=True))
    whole = all(verdicts) and database
    if not any(verdicts):
        response.status_code = 503
    now = time.time()
    return {
        "status": "healthy" if whole else "degraded" if any(verdicts) else "unhealthy",
        "timestamp": now,
        "timestamp_iso": iso(datetime.fromtimestamp(now, UTC)),
        "models": ready,
        "model_loaded": all(verdicts),
        "database_connected": database,
        "service": "facegraph",
        **_facenet(service),
        "version": VERSION,
        "networks": {role: _described(role, stage, service.policy) for role, stage in stages.items()},
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


def _described(role: str, stage: Stage, policy: Policy) -> dict[str, Any]:
    network = stage.network
    described: dict[str, Any] = {"model": network.model, "title": network.title, "licence": network.licence}
    if isinstance(stage, EmbedderStage):
        described |= {"embedding_dimensions": stage.size, "cosine_threshold": configured(policy, role, stage).value}
    return described
