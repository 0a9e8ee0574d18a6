"""Settings of a stage: its model and each replica's share of the machine."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.card import Card
from models.catalogue import card


class StageArgs(BaseModel):
    """Settings of one stage."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(description="Name of a card in models/cards.")
    engine: Literal["onnx", "onnx-float32", "torch", "tensorflow"] = Field(
        "onnx",
        description="The runtime. onnx computes with 8-bit integers on CPUs if the card has them, onnx-float32 never "
        "does; torch and tensorflow are those that the model was trained in.",
    )
    place: Literal["own", "ingress"] = Field(
        "own",
        description="own: a deployment of its own, scaled independently. ingress: inside the ingress replicas, whose "
        "share of the machine grows by the stage's; for machines with few cores.",
    )
    cpus: float = Field(0.2, gt=0, description="CPUs per replica. A network runs on as many threads, rounded up.")
    workers: int = Field(
        1,
        ge=1,
        description="Concurrent calls per replica, each in its own thread; further calls wait. Stages inside the "
        "ingress share its workers.",
    )
    gpus: float = Field(
        0.1, ge=0, le=1, description="Share of a GPU per replica, if the cluster has GPUs; 0 for CPUs only."
    )
    gpu_memory_mb: int = Field(2048, gt=0, description="Largest GPU memory arena of the network, in MiB.")
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="For a detector: arguments of its class in models/detectors, e.g. min_face.",
    )

    @property
    def card(self) -> Card:
        """The card of its model.

        Raises:
            ModelError: there is no such card.
        """
        return card(self.model)

    @model_validator(mode="after")
    def _engine_fits_the_place(self) -> "StageArgs":
        # TensorFlow and PyTorch crash in one process.
        if self.place == "ingress" and not self.engine.startswith("onnx"):
            raise ValueError("a stage inside the ingress needs an onnx engine")
        return self
