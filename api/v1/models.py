"""GET /v1/models: the models that a request can choose."""

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.errors import ERRORS
from api.parameters import StrictRoute
from api.service import CurrentService
from api.v1.attributes import attribute_stages
from api.v1.examples import example
from graphs.stages import Stage
from graphs.thresholds import threshold_of
from models.tasks.embedder import EMBEDDER
from models.tasks.liveness import LIVENESS

router = APIRouter(prefix="/v1", tags=["models"], responses=ERRORS, route_class=StrictRoute)


class NetworkAnswer(BaseModel):
    """A model. Fields that are null apply to embedders only."""

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
        None, description="The threshold if neither the request nor the collection has one."
    )
    threshold_source: Literal["configuration", "card"] | None = Field(
        None, description="Where `cosine_threshold` was set."
    )


class DefaultsAnswer(BaseModel):
    """Roles that requests to /v1 use by default; null if no model has the task."""

    model_config = example(detector="mtcnn", liveness="crmnet", embedder="arcface")

    detector: str
    liveness: str | None = None
    embedder: str | None = None
    pose: str | None = None
    eyes: str | None = None


class ModelsAnswer(BaseModel):
    """Models by role. Requests choose a model by its role."""

    model_config = example(
        detectors={}, liveness={}, embedders={"arcface": NetworkAnswer}, attributes={}, defaults={"detector": "mtcnn"}
    )

    detectors: dict[str, NetworkAnswer]
    liveness: dict[str, NetworkAnswer]
    embedders: dict[str, NetworkAnswer]
    attributes: dict[str, NetworkAnswer] = Field(description="Models by the name of their attribute.")
    defaults: DefaultsAnswer


@router.get("/models")
async def get_models(service: CurrentService) -> ModelsAnswer:
    """List the models that a request can choose."""
    stages = service.stages

    def answer(stage: Stage[Any, Any]) -> NetworkAnswer:
        card = stage.card
        network = NetworkAnswer(model=card.name, title=card.title, licence=card.licence)
        if card.task != EMBEDDER.name:
            return network
        threshold = threshold_of(service.settings, stage)
        [size] = card.shape
        about = {
            "embedding_contract": card.embedding_contract,
            "embedding_dimensions": size,
            "cosine_threshold": threshold.value,
            "threshold_source": threshold.source,
        }
        return network.model_copy(update=about)

    return ModelsAnswer(
        detectors={role: answer(stage) for role, stage in stages.detectors.items()},
        liveness={role: answer(stage) for role, stage in stages.of(LIVENESS.name).items()},
        embedders={role: answer(stage) for role, stage in stages.of(EMBEDDER.name).items()},
        attributes={name: answer(stage) for name, stage in attribute_stages(stages, None).items()},
        defaults=DefaultsAnswer.model_validate(stages.defaults),
    )
