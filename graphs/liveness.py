"""Decides whether a face is live, and the consequence if it is not, for all flows."""

from dataclasses import dataclass
from typing import Literal

from telemetry.request_record import count_outcome

LivenessPolicy = Literal["off", "report", "require"]
"""off: not checked; report: returned with the result; require: a spoof never matches and is not enrolled."""


@dataclass(frozen=True, slots=True)
class LivenessVerdict:
    """Liveness of one face.

    Attributes:
        live: whether `score` reaches `threshold`.
        score: live probability, 0 to 1.
        threshold: minimum score of a live face.
    """

    live: bool
    score: float
    threshold: float


@dataclass(frozen=True, slots=True)
class LivenessRule:
    """Judges faces by their live probability.

    Attributes:
        policy: consequence of a spoof.
        threshold: minimum live probability of a live face.
    """

    policy: LivenessPolicy
    threshold: float

    def judge(self, score: float) -> LivenessVerdict:
        """Judge one face by its live probability, and count the verdict for the request's metrics."""
        live = score >= self.threshold
        count_outcome("liveness", "live" if live else "spoof")
        return LivenessVerdict(live, score, self.threshold)

    def refuses(self, *live: bool | None) -> bool:
        """Return whether one of these faces must not match or be enrolled. None means not checked."""
        return self.policy == "require" and False in live
