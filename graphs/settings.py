"""The arguments of the application, composed of each room's settings.

`AppArgs` stands under `args` in configs/serve.yaml: any change restarts the replicas. Unknown keys are refused.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from access.settings import AccessArgs
from api.settings import AddressArgs, LimitArgs
from deployments.settings import DetectorArgs, StageArgs
from gallery.settings import GalleryArgs
from project.root import ROOT


class DefaultArgs(BaseModel):
    """Default roles for requests to /v1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    detector: str = Field("mtcnn", description="Role of the detector.")


class AppArgs(BaseModel):
    """The arguments of `graphs.app.build`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        description="auto: GPU shares where the cluster has GPUs, CPUs where it has none; cuda: GPUs or an error.",
    )
    models_dir: Path = Field(Path("data/models"), description="Where `facegraph models pull` put the models.")
    detectors: dict[str, DetectorArgs]
    liveness: dict[str, StageArgs]
    embedders: dict[str, StageArgs]
    defaults: DefaultArgs = Field(default_factory=DefaultArgs)
    limits: LimitArgs = Field(default_factory=LimitArgs)
    addresses: AddressArgs = Field(default_factory=AddressArgs)
    gallery: GalleryArgs = Field(default_factory=GalleryArgs)
    access: AccessArgs = Field(default_factory=AccessArgs)
    ingress_cpus: float = Field(
        0.2, gt=0, description="CPUs an ingress replica owns, without those of the stages inside it."
    )
    ingress_workers: int = Field(
        1, ge=1, description="Calls of the stages inside it that an ingress replica works on at once."
    )

    @field_validator("models_dir")
    @classmethod
    def _below_the_project(cls, path: Path) -> Path:
        return ROOT / path

    @field_validator("detectors", "liveness", "embedders")
    @classmethod
    def _has_the_role(cls, stages: dict[str, StageArgs], info: ValidationInfo) -> dict[str, StageArgs]:
        role = {"detectors": "mtcnn", "liveness": "crmnet", "embedders": "arcface"}[str(info.field_name)]
        if role not in stages:
            raise ValueError(f"/match needs a stage called {role} here")
        return stages

    @model_validator(mode="after")
    def _defaults_are_there(self) -> "AppArgs":
        if self.defaults.detector not in self.detectors:
            raise ValueError(
                f"defaults: no detector is called {self.defaults.detector}; there are {', '.join(self.detectors)}"
            )
        return self

    @property
    def cpus(self) -> float:
        """CPUs that one replica of each stage, of the ingress and of the gallery reserve."""
        stages = (*self.detectors.values(), *self.liveness.values(), *self.embedders.values())
        others = self.ingress_cpus + self.gallery.writer_cpus + self.gallery.reader_cpus
        return others + sum(stage.cpus for stage in stages)
