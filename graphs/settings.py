"""The arguments of the application, composed of each package's settings.

`AppArgs` is `args` in configs/serve.yaml. A change restarts the replicas. Unknown keys are rejected.
"""

import os
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from access.settings import AccessArgs
from api.settings import DownloadArgs, LimitArgs
from deployments.settings import StageArgs
from gallery.settings import GalleryArgs
from models.catalogue import networks_of
from models.device import Simulation, is_onnx
from models.store import DEFAULT_STORE, STORE_VARIABLE, chosen_store
from models.tasks import DETECTOR
from models.tasks.embedder import EMBEDDER
from project.root import ROOT

ROLE = "[A-Za-z0-9._-]+"
"""Pattern of a role. Ray separates the parts of a replica's name by other characters."""
OLD_TABLES = ("detectors", "liveness", "embedders")
"""Tables that earlier versions had instead of `stages`."""


class SimulationArgs(BaseModel):
    """Times of the simulated device, for the models of all stages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    call_ms: float = Field(20, ge=0, description="Milliseconds per call of a model on the simulated device.")
    item_ms: float = Field(0.5, ge=0, description="Additional milliseconds per face or photo of the call.")

    def simulation(self) -> Simulation:
        """Return the times in seconds."""
        return Simulation(self.call_ms / 1000, self.item_ms / 1000)


class AppArgs(BaseModel):
    """The arguments of `graphs.app.build`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    device: Literal["auto", "cpu", "cuda", "simulated"] = Field(
        "auto",
        description="auto: GPUs if the cluster has any, otherwise CPUs. cuda: GPUs; an error if they cannot be used. "
        "simulated: no model runs, and results are meaningless; for testing batches and autoscaling.",
    )
    simulation: SimulationArgs = Field(default_factory=SimulationArgs)
    models_dir: Path = Field(
        DEFAULT_STORE,
        description="Folder of the pulled models, relative to the project. Overrides the variable MODEL_STORE.",
    )
    stages: dict[str, StageArgs] = Field(
        description="Stages by role, which is the name that requests use. A stage's card determines its task."
    )
    defaults: dict[str, str] = Field(
        default_factory=dict,
        description="Default role of each task, for requests to /v1 that name no role. Without an entry, it is the "
        "task's first stage.",
    )
    limits: LimitArgs = Field(default_factory=LimitArgs)
    addresses: DownloadArgs = Field(default_factory=DownloadArgs)
    gallery: GalleryArgs = Field(default_factory=GalleryArgs)
    access: AccessArgs = Field(default_factory=AccessArgs)
    ingress_cpus: float = Field(0.2, gt=0, description="CPUs per ingress replica, not counting the stages inside it.")
    ingress_workers: int = Field(
        1, ge=1, description="Concurrent calls per ingress replica, shared by the stages inside it."
    )

    @field_validator("models_dir")
    @classmethod
    def _below_the_project(cls, path: Path) -> Path:
        return ROOT / path

    @model_validator(mode="before")
    @classmethod
    def _models_may_be_elsewhere(cls, table: Any) -> Any:
        if isinstance(table, dict) and os.environ.get(STORE_VARIABLE):
            return {"models_dir": chosen_store(), **table}
        return table

    @model_validator(mode="before")
    @classmethod
    def _stages_are_one_table(cls, table: Any) -> Any:
        if isinstance(table, dict) and (old := [key for key in OLD_TABLES if key in table]):
            raise ValueError(
                f"{', '.join(old)}: put all stages into one table, `stages: {{ROLE: {{model: CARD, ...}}, ...}}`; "
                "the card gives the stage's task"
            )
        return table

    @model_validator(mode="after")
    def _stages_fit_their_cards(self) -> "AppArgs":
        tasks = {role: stage.card.task for role, stage in self.stages.items()}
        if DETECTOR not in tasks.values():
            raise ValueError("stages: no detector is configured; the service needs at least one")
        for role, stage in self.stages.items():
            if not re.fullmatch(ROLE, role):
                raise ValueError(f"stages: the role {role!r} must have only ASCII letters, digits, '.', '_' and '-'")
            if not is_onnx(stage.engine) and {each.framework for each in networks_of(stage.card)} != {stage.engine}:
                raise ValueError(f"stages.{role}.engine: {stage.model} does not run in {stage.engine}")
            if stage.options and tasks[role] != DETECTOR:
                raise ValueError(f"stages.{role}.options: only a detector has options")
        for task, role in self.defaults.items():
            roles = [each for each in tasks if tasks[each] == task]
            if role not in roles:
                known = ", ".join(roles or sorted({*tasks.values()}))
                raise ValueError(f"defaults: unknown {task} {role}; available: {known}")
        return self

    @model_validator(mode="after")
    def _similarities_for_aws_clients_are_measured(self) -> "AppArgs":
        embedder = self.default_roles.get(EMBEDDER.name)
        if self.access.rekognition_key_file and embedder and self.stages[embedder].card.similarity is None:
            model = self.stages[embedder].model
            raise ValueError(
                f"access.rekognition_key_file: the Rekognition API needs a default embedder with a [similarity] in its "
                f"card, and {model} has none: measure it with `facegraph models scale {model} --photos FOLDER` and add "
                "the result to a card of your own (docs/rekognition.md#similarity), or unset REKOGNITION_KEY_FILE"
            )
        return self

    def of(self, task: str) -> dict[str, StageArgs]:
        """Return the stages for `task`, by role."""
        return {role: stage for role, stage in self.stages.items() if stage.card.task == task}

    @property
    def roles(self) -> dict[str, list[str]]:
        """Roles of the stages, by task."""
        return {task: list(self.of(task)) for task in {stage.card.task for stage in self.stages.values()}}

    @property
    def default_roles(self) -> dict[str, str]:
        """Role of each task's default stage: as in `defaults`, or else the first."""
        first = {stage.card.task: role for role, stage in reversed(self.stages.items())}
        return {**first, **self.defaults}

    @property
    def cpus(self) -> float:
        """CPUs of one replica of every deployment."""
        others = self.ingress_cpus + self.gallery.writer_cpus + self.gallery.reader_cpus
        return others + sum(stage.cpus for stage in self.stages.values())
