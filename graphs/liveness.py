"""Whether a face counts as live, and what follows if it does not: decided here and nowhere else."""

from dataclasses import dataclass
from typing import Literal

from telemetry.request_record import count_outcome

LivenessPolicy = Literal["off", "report", "require"]
"""off: not asked; report: stands beside the answer; require: a spoof is never a match and is not enrolled."""


@dataclass(frozen=True, slots=True)
class LivenessVerdict:
    """Whether one face is live.

    Attributes:
        score: live probability, 0 to 1.
        threshold: least score of a live face.
    """

    live: bool
    score: float
    threshold: float


@dataclass(frozen=True, slots=True)
class LivenessRule:
    """How faces are judged.

    Attributes:
        threshold: least live probability of a live face.
    """

    policy: LivenessPolicy
    threshold: float

    def judge(self, score: float) -> LivenessVerdict:
        """Judge one face by its live probability, and count the verdict for the request's metrics."""
        live = score >= self.threshold
        count_outcome("liveness", "live" if live else "spoof")
        return LivenessVerdict(live, score, self.threshold)

    def refuses(self, *live: bool | None) -> bool:
        """Whether one of these faces must not match or be enrolled. None: liveness was not asked."""
        return self.policy == "require" and False in live
