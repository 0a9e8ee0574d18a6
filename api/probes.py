"""GET /livez and GET /readyz: what load balancers and supervisors ask."""

from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from api.service import Service
from api.v1.schemas import example

router = APIRouter(tags=["health"])


class Liveness(BaseModel):
    """That the process answers."""

    model_config = example(status="alive")

    status: Literal["alive"] = "alive"


class ReadinessAnswer(BaseModel):
    """Whether every stage is ready, and which are not."""

    model_config = example(ready=False, stages={"detector-mtcnn": True, "embedder-arcface": False, "gallery": True})

    ready: bool
    stages: dict[str, bool] = Field(description="By kind and role, and the gallery.")


NOT_READY: dict[int | str, dict[str, Any]] = {503: {"model": ReadinessAnswer, "description": "A stage is not ready"}}


@router.get("/livez")
async def get_livez() -> Liveness:
    """Answer, without asking anybody: a process that does not should be started anew."""
    return Liveness()


@router.get("/readyz", responses=NOT_READY)
async def get_readyz(request: Request, response: Response) -> ReadinessAnswer:
    """Tell whether every stage and the gallery are ready: with status 503 if not, and until each has answered once.

    A stage that is only busy is ready. A damaged collection leaves the gallery ready: see /health.
    """
    service: Service = request.state.service
    stages = {f"{kind}-{role}": stage.ready() for kind, role, stage in service.stages.networks}
    stages["gallery"] = service.stages.gallery.ready()
    ready = all(stages.values())
    if not ready:
        response.status_code = 503
    return ReadinessAnswer(ready=ready, stages=stages)
