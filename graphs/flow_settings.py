"""Settings that can change while the service runs.

`FlowSettings` is the ingress's `user_config` in configs/serve.yaml. A change applies to running replicas.
"""

from collections.abc import Collection, Mapping
from typing import Annotated, Literal

from pydantic import Field

from graphs.liveness import LivenessPolicy, LivenessRule
from project.environment import EnvironmentSettings


class FlowSettings(EnvironmentSettings):
    """Thresholds for matches, liveness and photo quality, and the padding of embeddings."""

    similarity_threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Minimum cosine similarity of a match on /match, /compare, /mediapipe, and /match_face of "
        "facenet, if neither the request nor the collection has a threshold. By default, each contract's "
        "own value: 0.6, and 0.7 for /match_face.",
    )
    arcface_threshold: float | None = Field(
        None, ge=0, le=1, description="The same for /match_face of arcface. By default, 0.75."
    )
    thresholds: dict[str, Annotated[float, Field(ge=-1, le=1)]] = Field(
        default_factory=dict,
        description="Minimum cosine similarity of a match in /v1, by embedder role, if neither the request nor the "
        "collection has a threshold. Overrides the card's threshold. `facegraph models calibrate` with `--write` sets "
        "it.",
    )
    liveness_threshold: float = Field(0.5, ge=0, le=1, description="Minimum live probability of a live face.")
    liveness_policy: Literal["report", "require"] = Field(
        "report", description="For /match. report: liveness does not affect the match. require: a spoof never matches."
    )
    other_faces: float = Field(
        0.33,
        ge=0,
        le=1,
        description="If a photo must show exactly one face, faces whose side is below this fraction of the largest "
        "face's side are ignored. 0 ignores none.",
    )
    pad_embeddings: bool = Field(
        True,
        description="Whether /extract-embedding, /compare-faces and /api/v1 pad shorter embeddings with zeros to 512 "
        "numbers.",
    )
    min_side: int = Field(224, gt=0, description="Minimum width and height of a photo, in pixels.")
    min_brightness: float = Field(20, ge=0, le=255, description="Minimum mean grey value of a photo.")
    max_brightness: float = Field(240, ge=0, le=255, description="Maximum mean grey value of a photo.")
    min_contrast: float = Field(10, ge=0, le=255, description="Minimum standard deviation of a photo's grey values.")
    enrol_min_face: float = Field(30, ge=0, description="Minimum width and height of a face to enrol, in pixels.")
    enrol_max_cut: float = Field(
        0.3,
        ge=0,
        description="How far a face to enrol may extend beyond the photo, as a fraction of the face's longer side.",
    )
    enrol_min_brightness: float = Field(40, ge=0, le=255, description="Minimum mean grey value of a face to enrol.")
    enrol_max_brightness: float = Field(220, ge=0, le=255, description="Maximum mean grey value of a face to enrol.")
    enrol_min_contrast: float = Field(
        15, ge=0, le=255, description="Minimum standard deviation of the grey values of a face to enrol."
    )
    enrol_min_sharpness: float = Field(
        10,  # The least sharp of 217 good faces had 14.
        ge=0,
        description="Minimum variance of the Laplacian of a face to enrol, scaled to 112 pixels.",
    )
    enrol_max_turn: float = Field(
        0.7,
        ge=0,
        description="How far a face to enrol may be turned to the side, computed from its landmarks: 0 is frontal, "
        "above 1 is profile.",
    )
    enrol_max_yaw: float = Field(
        30,
        ge=0,
        le=180,
        description="Maximum yaw of a face to enrol, in degrees to either side. Needs a stage for the task pose.",
    )
    enrol_max_pitch: float = Field(
        25,
        ge=0,
        le=180,
        description="Maximum pitch of a face to enrol, in degrees up or down. Needs a stage for the task pose.",
    )
    enrol_min_open: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Minimum open probability of the more open eye of a face to enrol. Needs a stage for the task "
        "eyes.",
    )
    enrol_pose: Literal["report", "require"] = Field(
        "report",
        description="report: a face over the maximum yaw or pitch is enrolled, and the problem is reported. require: "
        "it is rejected.",
    )
    enrol_eyes: Literal["report", "require"] = Field(
        "report",
        description="report: a face with both eyes closed is enrolled, and the problem is reported. require: it is "
        "rejected.",
    )

    def liveness(self, policy: LivenessPolicy) -> LivenessRule:
        """Return the liveness rule for `policy` with this threshold."""
        return LivenessRule(policy, self.liveness_threshold)

    def checked_for(self, roles: Mapping[str, Collection[str]]) -> "FlowSettings":
        """Check these settings against the stages of the service, and return them.

        Args:
            roles: roles of the stages, by task.

        Raises:
            ValueError: `thresholds` names an unknown embedder, or the gate requires a task that no stage has.
        """
        embedders = roles.get("embedder", ())
        if unknown := sorted(self.thresholds.keys() - set(embedders)):
            raise ValueError(f"thresholds: unknown embedder {', '.join(unknown)}; available: {', '.join(embedders)}")
        for task, needed in (("pose", self.enrol_pose), ("eyes", self.enrol_eyes)):
            if needed == "require" and not roles.get(task):
                raise ValueError(f"enrol_{task}: require needs a stage for the task {task}, but none is configured")
        return self
