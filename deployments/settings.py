"""Settings of a stage: its model and each replica's share of the machine."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.card import Card
from models.catalogue import card


class StageArgs(BaseModel):
    """One stage: its network and each replica's share of the machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(description="Name of a card in models/cards.")
    engine: Literal["onnx", "onnx-float32", "torch", "tensorflow"] = Field(
        "onnx",
        description="The runtime; the card names its original one. onnx takes 8-bit integers on CPUs where the card "
        "has them, onnx-float32 never does.",
    )
    place: Literal["own", "ingress"] = Field(
        "own",
        description="own: a deployment of its own, which scales by itself; ingress: inside the ingress's replicas, "
        "whose share of the machine grows by the stage's, for machines with few cores.",
    )
    cpus: float = Field(0.2, gt=0, description="CPUs a replica owns; a network runs on as many threads, rounded up.")
    workers: int = Field(
        1,
        ge=1,
        description="Calls that a replica works on at once, each in a thread of its own; others wait. "
        "Stages inside the ingress share its workers.",
    )
    gpus: float = Field(
        0.1, ge=0, le=1, description="Share of a GPU a replica owns, where the cluster has GPUs; 0 for never."
    )
    gpu_memory_mb: int = Field(
        2048, gt=0, description="Most that the network's arena takes of the GPU's memory, in MiB."
    )

    options: dict[str, Any] = Field(
        default_factory=dict,
        description="Of a detector, arguments of its class in models/detectors, e.g. min_face.",
    )

    @property
    def card(self) -> Card:
        """The card of its model.

        Raises:
            ModelError: there is none.
        """
        return card(self.model)

    @model_validator(mode="after")
    def _gets_along_inside(self) -> "StageArgs":
        # TensorFlow and torch crash in one process.
        if self.place == "ingress" and not self.engine.startswith("onnx"):
            raise ValueError("a stage inside the ingress runs in onnx")
        return self
