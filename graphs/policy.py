"""The settings that can change while the service runs.

`Policy` stands under the ingress's `user_config` in configs/serve.yaml. A change reaches running replicas.
"""

from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import Field

from graphs.liveness import LivenessPolicy, LivenessRule
from project.environment import EnvironmentSettings


class Policy(EnvironmentSettings):
    """What counts as a match, as live and as a usable photo, and whether the older routes pad their embeddings."""

    similarity_threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Least cosine similarity of a match on /match, /compare, /mediapipe and /match_face of facenet, "
        "where a request names none; without it each contract's own: 0.6, and 0.7 for /match_face.",
    )
    arcface_threshold: float | None = Field(
        None, ge=0, le=1, description="The same on /match_face of arcface, whose contract has 0.75."
    )
    thresholds: dict[str, Annotated[float, Field(ge=-1, le=1)]] = Field(
        default_factory=dict,
        description="By an embedder's role, the least cosine similarity of a match in /v1 where neither the request "
        "nor the collection has one, in place of the card's: what `facegraph models calibrate` writes.",
    )
    liveness_threshold: float = Field(0.5, ge=0, le=1, description="Least live probability of a live face.")
    liveness_policy: Literal["report", "require"] = Field(
        "report", description="report: liveness stands beside the match; require: a spoof is never a match."
    )
    other_faces: float = Field(
        0.33,
        ge=0,
        le=1,
        description="Where a photo must show exactly one face, another one is ignored if its side is smaller than this "
        "share of the largest face's side; 0 ignores none.",
    )
    pad_embeddings: bool = Field(
        True,
        description="Whether embeddings of fewer than 512 numbers are padded with zeros where a contract documents "
        "512: /extract-embedding, /compare-faces and /api/v1.",
    )
    min_side: int = Field(224, gt=0, description="Least width and height of a photo in pixels.")
    min_brightness: float = Field(20, ge=0, le=255, description="Least mean grey value of a photo.")
    max_brightness: float = Field(240, ge=0, le=255, description="Greatest mean grey value of a photo.")
    min_contrast: float = Field(10, ge=0, le=255, description="Least standard deviation of a photo's grey values.")
    enrol_min_face: float = Field(30, ge=0, description="Least width and height of a face to enrol, in pixels.")
    enrol_max_cut: float = Field(0.3, ge=0, description="Most of its longer side that may lie outside the photo.")
    enrol_min_brightness: float = Field(40, ge=0, le=255, description="Least mean grey value of a face to enrol.")
    enrol_max_brightness: float = Field(220, ge=0, le=255, description="Greatest mean grey value of it.")
    enrol_min_contrast: float = Field(15, ge=0, le=255, description="Least standard deviation of its grey values.")
    enrol_min_sharpness: float = Field(
        10, ge=0, description="Least variance of its Laplacian at 112 pixels; of 217 real faces the least was 14."
    )
    enrol_max_turn: float = Field(0.7, ge=0, description="Furthest it looks aside: 0 ahead, more than 1 in profile.")

    def liveness(self, policy: LivenessPolicy) -> LivenessRule:
        """The rule that judges faces under `policy`."""
        return LivenessRule(policy, self.liveness_threshold)

    def of(self, embedders: Collection[str]) -> "Policy":
        """This policy, for a service with these embedders' roles.

        Raises:
            ValueError: `thresholds` names another one.
        """
        if unknown := sorted(self.thresholds.keys() - set(embedders)):
            raise ValueError(
                f"thresholds: no embedder is called {', '.join(unknown)}; there are {', '.join(embedders)}"
            )
        return self
