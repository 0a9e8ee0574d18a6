"""Every setting of the service, in two groups: what needs a restart, and what can change at run time.

`AppArgs` stands under `args` in configs/serve.yaml: any change of it restarts the replicas.
`Policy` stands under the ingress's `user_config` there: a change reaches running replicas.
Both refuse unknown keys. A setting with an environment variable takes the file's value first, then
the variable, then the default.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from imaging.decode import Limits

ROOT = Path(__file__).resolve().parents[1]


class StageArgs(BaseModel):
    """One stage: its network and each replica's share of the machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(description="Name of a card in models/cards.")
    engine: Literal["onnx", "torch", "tensorflow"] = Field(
        "onnx", description="The runtime; the card names its original one."
    )
    cpus: float = Field(0.2, gt=0, description="CPUs a replica owns; a network runs on as many threads, rounded up.")
    gpus: float = Field(
        0.1, ge=0, le=1, description="Share of a GPU a replica owns, where the cluster has GPUs; 0 for never."
    )
    gpu_memory_mb: int = Field(
        2048, gt=0, description="Most that the network's arena takes of the GPU's memory, in MiB."
    )


class DetectorArgs(StageArgs):
    """A detector stage."""

    options: dict[str, Any] = Field(
        default_factory=dict, description="Arguments of the detector's class in models/detectors, e.g. min_face."
    )


class _FromEnvironment(BaseSettings):
    model_config = SettingsConfigDict(extra="forbid", frozen=True)


class LimitArgs(_FromEnvironment):
    """What the service lets in."""

    max_image_size: int = Field(10 * 1024 * 1024, gt=0, description="Bytes of an encoded photo.")
    max_image_pixels: int = Field(50_000_000, gt=0, description="Width times height, as the photo's header states it.")
    max_image_dimension: int = Field(1024, ge=64, description="Longest side that a photo is scaled down to.")
    request_timeout: float = Field(30, gt=0, description="Seconds a request may take.")

    @property
    def decode(self) -> Limits:
        """The decode gate's limits."""
        return Limits(self.max_image_size, self.max_image_pixels, self.max_image_dimension)

    @property
    def max_body(self) -> int:
        """Bytes of a request's body: two photos in base64 and room for the JSON around them.

        Base64 may be broken every 76 characters, by a line end that JSON writes in four.
        """
        return 2 * (self.max_image_size * 4 // 3 * 80 // 76) + 64 * 1024


class AppArgs(BaseModel):
    """The arguments of `graphs.app.build`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        description="auto: GPU shares where the cluster has GPUs, CPUs where it has none; cuda: GPUs or an error.",
    )
    models_dir: Path = Field(Path("data/models"), description="Where `python -m models pull` put the models.")
    detectors: dict[str, DetectorArgs]
    liveness: dict[str, StageArgs]
    embedders: dict[str, StageArgs]
    limits: LimitArgs = Field(default_factory=LimitArgs)
    ingress_cpus: float = Field(0.2, gt=0, description="CPUs an ingress replica owns.")

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


class Policy(_FromEnvironment):
    """What counts as a match, as live, as a usable photo."""

    similarity_threshold: float = Field(
        0.6, ge=0, le=1, description="Least cosine similarity of a match, where a request names none."
    )
    liveness_threshold: float = Field(0.5, ge=0, le=1, description="Least live probability of a live face.")
    liveness_policy: Literal["report", "require"] = Field(
        "report", description="report: liveness stands beside the match; require: a spoof is never a match."
    )
    min_side: int = Field(224, gt=0, description="Least width and height of a photo in pixels.")
    min_brightness: float = Field(20, ge=0, le=255, description="Least mean grey value of a photo.")
    max_brightness: float = Field(240, ge=0, le=255, description="Greatest mean grey value of a photo.")
    min_contrast: float = Field(10, ge=0, le=255, description="Least standard deviation of a photo's grey values.")
