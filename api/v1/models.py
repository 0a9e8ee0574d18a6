"""GET /v1/models: the models that a request can choose."""

from collections.abc import Mapping
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import Field

from api.errors import ERRORS
from api.parameters import StrictRoute
from api.service import CurrentService
from api.v1.attributes import attribute_stages
from api.v1.examples import Answer, example, example_of
from graphs.flow_settings import FlowSettings
from graphs.stages import Stage, embedding_kind
from graphs.thresholds import threshold_of
from models.tasks.embedder import EMBEDDER
from models.tasks.liveness import LIVENESS

router = APIRouter(prefix="/v1", tags=["models"], responses=ERRORS, route_class=StrictRoute)


class NetworkAnswer(Answer):
    """A model. The fields that may be null are set for embedders only."""

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

    @classmethod
    def of(cls, stage: Stage[Any, Any], settings: FlowSettings) -> "NetworkAnswer":
        card = stage.card
        about: dict[str, Any] = {"model": card.name, "title": card.title, "licence": card.licence}
        if card.task == EMBEDDER.name:
            kind, threshold = embedding_kind(stage), threshold_of(settings, stage)
            about |= {"embedding_contract": kind.contract, "embedding_dimensions": kind.size}
            about |= {"cosine_threshold": threshold.value, "threshold_source": threshold.source}
        return cls(**about)


class DefaultsAnswer(Answer):
    """Roles that requests to /v1 use by default; null if no model has the task."""

    model_config = example(detector="mtcnn", liveness="crmnet", embedder="arcface")

    detector: str
    liveness: str | None = None
    embedder: str | None = None
    pose: str | None = None
    eyes: str | None = None


class ModelsAnswer(Answer):
    """Models by role. Requests choose a model by its role."""

    model_config = example(
        detectors={},
        liveness={},
        embedders={"arcface": example_of(NetworkAnswer)},
        attributes={},
        defaults={"detector": "mtcnn"},
    )

    detectors: dict[str, NetworkAnswer]
    liveness: dict[str, NetworkAnswer]
    embedders: dict[str, NetworkAnswer]
    attributes: dict[str, NetworkAnswer] = Field(description="Models by attribute, not by role.")
    defaults: DefaultsAnswer


@router.get("/models")
async def get_models(service: CurrentService) -> ModelsAnswer:
    """List the models that a request can choose."""
    stages = service.stages

    def answers(of: Mapping[str, Stage[Any, Any]]) -> dict[str, NetworkAnswer]:
        return {name: NetworkAnswer.of(stage, service.settings) for name, stage in of.items()}

    return ModelsAnswer(
        detectors=answers(stages.detectors),
        liveness=answers(stages.of(LIVENESS.name)),
        embedders=answers(stages.of(EMBEDDER.name)),
        attributes=answers(attribute_stages(stages, None)),
        defaults=DefaultsAnswer.model_validate(stages.defaults),
    )
