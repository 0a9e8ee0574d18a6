"""Settings of stages, of their replicas and of the autoscaling policy."""

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.card import Card
from models.catalogue import card
from models.device import Device, Engine, Simulation, is_onnx

INGRESS = "ingress"
"""Name of the ingress deployment."""


class LargestBatch(BaseModel):
    """The maximum number of faces or photos in a batch, by kind of device."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cpu: int = Field(1, ge=1, description="On CPUs, where a batch takes as long as its items one by one.")
    gpu: int = Field(32, ge=1, description="On GPUs and simulated devices.")


class ReplicaSettings(BaseModel):
    """The `user_config` of a stage's deployment. A change applies to running replicas."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    largest_batch: LargestBatch = Field(
        default_factory=LargestBatch,
        description="Maximum number of faces or photos in a batch. Calls that arrive while the model runs wait for the "
        "next batch.",
    )

    def max_items(self, device: Device) -> int:
        """Return the maximum number of items in a batch on `device`."""
        return self.largest_batch.cpu if device.kind == "cpu" else self.largest_batch.gpu


class ScalingSettings(BaseModel):
    """Settings of the autoscaling policy: the `policy_kwargs` in the application's `autoscaling_policy`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dry_run: bool = Field(False, description="Whether decisions are only logged and reported, but not applied.")
    cores: Literal["measured", "reserved"] = Field(
        "measured",
        description="measured: a new replica needs cores that no process uses, at least one for its start. reserved: "
        "it needs only the CPUs that it reserves; for stages that use no more than they reserve.",
    )
    spare_cores: float = Field(0.5, ge=0, description="Idle cores that each node keeps for HAProxy, Ray and peaks.")


class StageArgs(BaseModel):
    """Settings of one stage."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(description="Name of a card, which determines the stage's task.")
    engine: Engine = Field(
        "onnx",
        description="Runtime of the model.",
    )
    provider_options: dict[str, str | int | float | bool] = Field(
        default_factory=dict,
        description="For a GPU: options of ONNX Runtime's CUDA or TensorRT provider, for example "
        "{trt_engine_cache_path: /var/cache/facegraph} if the folder of the models is read-only.",
    )
    io_binding: bool = Field(
        False, description="For a GPU: whether each call binds its inputs and outputs instead of passing arrays."
    )
    place: Literal["own", "ingress"] = Field(
        "own",
        description="own: in a separate deployment. ingress: inside the ingress replicas, which then also reserve the "
        "stage's CPUs and GPUs; for machines with few cores.",
    )
    cpus: float = Field(0.2, gt=0, description="CPUs per replica. The model runs on that many threads, rounded up.")
    workers: int = Field(
        1,
        ge=1,
        description="Concurrent calls per replica; others wait. Stages inside the ingress share ingress_workers "
        "instead.",
    )
    gpus: float = Field(
        0.1, ge=0, le=1, description="GPU share per replica if the cluster has GPUs; 0 to run on the CPU."
    )
    gpu_memory_mb: int = Field(2048, gt=0, description="Maximum size of each network's GPU memory arena, in MiB.")
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="For a detector: keyword arguments of its class in models/detectors, for example min_face.",
    )

    @property
    def card(self) -> Card:
        """Card of the model.

        Raises:
            ModelError: there is no such card.
        """
        return card(self.model)

    def deployment(self, role: str) -> str:
        """Return the name of the deployment in which the stage with this role runs."""
        return INGRESS if self.place == "ingress" else f"{self.card.task}-{role}"

    def resources(self, gpus: bool) -> dict[str, float]:
        """Return the CPUs and the GPU share that a replica reserves in Ray. Without `gpus`, the share is 0."""
        return {"num_cpus": self.cpus, "num_gpus": self.gpus if gpus else 0}

    def device(self, gpus: bool, required: bool, simulation: Simulation | None = None) -> Device:
        """Return the device of a replica.

        Args:
            gpus: whether the cluster has GPUs.
            required: whether an unusable GPU is an error.
            simulation: times of a simulated GPU; None for a real device.
        """
        threads = math.ceil(self.cpus)
        if simulation is not None:
            return Device("cuda", threads, simulation=simulation)
        if not gpus or self.gpus == 0:
            return Device("cpu", threads)
        return Device(
            "cuda", threads, self.gpu_memory_mb * 2**20, required, self.provider_options, io_binding=self.io_binding
        )

    @model_validator(mode="after")
    def _engine_fits_the_place(self) -> "StageArgs":
        # TensorFlow and PyTorch crash if they are loaded into one process.
        if self.place == "ingress" and not is_onnx(self.engine):
            raise ValueError(f"a stage inside the ingress cannot have the engine {self.engine}")
        return self
