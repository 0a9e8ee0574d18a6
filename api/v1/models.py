"""GET /v1/models: what a request can choose from."""

from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from api.errors import ERRORS
from api.parameters import StrictRoute
from api.service import Service
from api.v1.options import threshold_of
from api.v1.schemas import example
from graphs.stages import EmbedderStage

router = APIRouter(prefix="/v1", tags=["models"], responses=ERRORS, route_class=StrictRoute)


class NetworkAnswer(BaseModel):
    """A network behind a role."""

    model_config = example(
        model="mobilefacenet",
        title="MobileFaceNet",
        licence="MIT",
        embedding_contract="499f2c0ac50eba0c",
        embedding_dimensions=192,
        cosine_threshold=0.42,
        threshold_source="card",
    )

    model: str
    title: str
    licence: str
    embedding_contract: str | None = None
    embedding_dimensions: int | None = None
    cosine_threshold: float | None = Field(
        None, description="What decides where neither the request nor the collection has a threshold."
    )
    threshold_source: Literal["configuration", "card"] | None = Field(None, description="Who set it.")


class DefaultsAnswer(BaseModel):
    """Default roles for requests to /v1."""

    model_config = example(detector="mtcnn")

    detector: str


class ModelsAnswer(BaseModel):
    """Every network by its role, which is what requests name."""

    model_config = example(detectors={}, liveness={}, embedders={"arcface": NetworkAnswer}, defaults=DefaultsAnswer)

    detectors: dict[str, NetworkAnswer]
    liveness: dict[str, NetworkAnswer]
    embedders: dict[str, NetworkAnswer]
    defaults: DefaultsAnswer


@router.get("/models")
async def get_models(request: Request) -> ModelsAnswer:
    """List the networks that a request can choose."""
    service: Service = request.state.service
    stages = service.stages

    def plain(stage: Any) -> NetworkAnswer:
        network = stage.network
        return NetworkAnswer(model=network.model, title=network.title, licence=network.licence)

    def embedder(role: str, stage: EmbedderStage) -> NetworkAnswer:
        threshold = threshold_of(service, role)
        told = {
            "embedding_contract": stage.contract,
            "embedding_dimensions": stage.size,
            "cosine_threshold": threshold.value,
            "threshold_source": threshold.source,
        }
        return plain(stage).model_copy(update=told)

    return ModelsAnswer(
        detectors={role: plain(stage) for role, stage in stages.detectors.items()},
        liveness={role: plain(stage) for role, stage in stages.liveness.items()},
        embedders={role: embedder(role, stage) for role, stage in stages.embedders.items()},
        defaults=DefaultsAnswer(detector=service.default_detector),
    )
