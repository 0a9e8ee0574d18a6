"""GET /livez and GET /readyz: probes for load balancers and supervisors."""

from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from api.service import Service
from api.v1.examples import example

router = APIRouter(tags=["health"])


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


@router.get("/livez")
async def get_livez() -> AliveAnswer:
    """Report that the process is alive, without calling the stages. Restart a process that does not respond."""
    return AliveAnswer()


@router.get("/readyz", responses=NOT_READY)
async def get_readyz(request: Request, response: Response) -> ReadinessAnswer:
    """Report whether every stage and the gallery are ready. The status is 503 if one is not, or has not responded yet.

    A busy stage is ready. A damaged collection does not change the gallery's readiness: see /health.
    """
    service: Service = request.state.service
    stages = {f"{stage.card.task}-{stage.role}": stage.ready() for stage in service.stages.all}
    stages["gallery"] = service.stages.gallery.ready()
    ready = all(stages.values())
    if not ready:
        response.status_code = 503
    return ReadinessAnswer(ready=ready, stages=stages)
