"""GET /, GET /health, and the probes of load balancers and supervisors: GET /livez and GET /readyz."""

import time
from datetime import UTC, datetime
from importlib import metadata
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from api.contracts.faces import ROLE
from api.padding import answered_dimensions
from api.service import CurrentService, Service
from api.v1.examples import example
from api.v1.models import NetworkAnswer
from graphs.stages import embedding_kind
from models.tasks.embedder import EMBEDDER

router = APIRouter(tags=["health"])

VERSION = metadata.version("facegraph")


class AliveAnswer(BaseModel):
    """The process is alive."""

    model_config = example(status="alive")

    status: Literal["alive"] = "alive"


class ReadinessAnswer(BaseModel):
    """Whether the service and each of its stages are ready."""

    model_config = example(ready=False, stages={"detector-mtcnn": True, "embedder-arcface": False, "gallery": True})

    ready: bool
    stages: dict[str, bool] = Field(description="Stages by TASK-ROLE, and the gallery.")


NOT_READY: dict[int | str, dict[str, Any]] = {503: {"model": ReadinessAnswer, "description": "A stage is not ready"}}


@router.get("/")
async def get_root() -> dict[str, Any]:
    """Return the name of the service and links to its web UI, documentation and health."""
    return {
        "message": "facegraph: face detection, liveness and recognition",
        "status": "healthy",
        "version": VERSION,
        "page": "/ui",
        "docs": "/docs",
        "health": "/health",
    }


@router.get("/health")
async def get_health(service: CurrentService, response: Response) -> dict[str, Any]:
    """Report whether each stage responds and has its model's files, and whether the gallery can be read.

    Stages are checked in the background. A busy stage is ready as long as it responds to calls.

    - `status`: ``healthy`` if everything is ready, ``degraded`` if something is not, or ``unhealthy`` with status 503
      if no stage is ready.
    - `models`: whether the stage of each role is ready.
    - `model_loaded`: whether all stages are ready.
    - `database_connected`: whether the gallery is ready.
    - `unreadable_collections`: number of damaged collections.
    - `networks`: the model of each role. Embedders have `embedding_dimensions` and the default `cosine_threshold` of
      /v1.
    - `model`, `embedding_dimensions`, `network_dimensions`: embedder of the FaceNet contract. `embedding_dimensions`
      includes padding.
    """
    stages, gallery = service.stages.all, service.stages.gallery
    verdicts = [stage.ready() for stage in stages]
    whole = all(verdicts) and gallery.ready() and not gallery.unreadable()
    if not any(verdicts):
        response.status_code = 503
    now = time.time()
    return {
        "status": "healthy" if whole else "degraded" if any(verdicts) else "unhealthy",
        "timestamp": now,
        "timestamp_iso": iso(datetime.fromtimestamp(now, UTC)),
        "models": {stage.role: verdict for stage, verdict in zip(stages, verdicts, strict=True)},
        "model_loaded": all(verdicts),
        "database_connected": gallery.ready(),
        "unreadable_collections": len(gallery.unreadable()),
        "service": "facegraph",
        **_facenet(service),
        "version": VERSION,
        "networks": {
            stage.role: NetworkAnswer.of(stage, service.settings).model_dump(
                exclude_none=True, exclude={"embedding_contract", "threshold_source"}
            )
            for stage in stages
        },
    }


@router.get("/livez")
async def get_livez() -> AliveAnswer:
    """Report that the process is alive, without calling the stages. Restart a process that does not respond."""
    return AliveAnswer()


@router.get("/readyz", responses=NOT_READY)
async def get_readyz(service: CurrentService, response: Response) -> ReadinessAnswer:
    """Report whether every stage and the gallery are ready. The status is 503 if one is not, or has not responded yet.

    A busy stage is ready. A damaged collection does not change the gallery's readiness: see /health.
    """
    stages = {f"{stage.card.task}-{stage.role}": stage.ready() for stage in service.stages.all}
    stages["gallery"] = service.stages.gallery.ready()
    ready = all(stages.values())
    if not ready:
        response.status_code = 503
    return ReadinessAnswer(ready=ready, stages=stages)


def iso(moment: datetime) -> str:
    """Format a time as ISO 8601 in UTC: ``2024-01-15T12:00:00.000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _facenet(service: Service) -> dict[str, Any]:
    embedder = service.stages.of(EMBEDDER.name).get(ROLE)
    if embedder is None:
        return {}
    kind = embedding_kind(embedder)
    return {
        "model": kind.model,
        "embedding_dimensions": answered_dimensions(service, kind.size),
        "network_dimensions": kind.size,
    }
