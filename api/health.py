"""GET / and GET /health: who answers here, and whether every stage does."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from fastapi import APIRouter, Request, Response

from api.service import Service
from graphs.stages import DetectorStage, EmbedderStage, LivenessStage

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
        "docs": "/docs",
        "health": "/health",
    }


@router.get("/health")
async def get_health(request: Request, response: Response) -> dict[str, Any]:
    """Ask every stage whether it answers.

    `status` is ``healthy`` when all do, ``degraded`` when some do, and ``unhealthy``, with status 503,
    when none does. `models` has the verdict by role, and `networks` names what stands behind each; of an
    embedder also its embeddings' length and its card's own threshold.
    """
    service: Service = request.app.state.service
    stages: Mapping[str, Stage] = {**service.stages.detectors, **service.stages.liveness, **service.stages.embedders}
    verdicts = await asyncio.gather(*(stage.ready() for stage in stages.values()))
    ready = dict(zip(stages, verdicts, strict=True))
    if not any(verdicts):
        response.status_code = 503
    now = time.time()
    return {
        "status": "healthy" if all(verdicts) else "degraded" if any(verdicts) else "unhealthy",
        "timestamp": now,
        "timestamp_iso": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "models": ready,
        "version": VERSION,
        "networks": {role: _described(stage) for role, stage in stages.items()},
    }


def _described(stage: Stage) -> dict[str, Any]:
    network = stage.network
    described: dict[str, Any] = {"model": network.model, "title": network.title, "licence": network.licence}
    if isinstance(stage, EmbedderStage):
        described |= {"embedding_dimensions": stage.size, "cosine_threshold": stage.threshold}
    return described
