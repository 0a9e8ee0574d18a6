"""Choosing the threshold for a target error rate."""

import math
from dataclasses import dataclass
from typing import Literal

from evaluation.figures import percent
from evaluation.verification import Curve
from models.errors import ModelError

RateName = Literal["FMR", "APCER", "BPCER"]

_STEPS = 10**6
"""Thresholds of six decimals are exact enough, and can be read."""


@dataclass(frozen=True, slots=True)
class Target:
    """The error rate that a threshold must not exceed."""

    rate: RateName
    at_most: float

    @property
    def extreme(self) -> str:
        """Which of the thresholds with this rate is taken: the one that costs least of the other error."""
        return "highest" if self.rate == "BPCER" else "lowest"

    def threshold(self, curve: Curve) -> float:
        """Return the lowest threshold of six decimals with this FMR or APCER, or the highest with this BPCER.

        Raises:
            ModelError: even at the threshold 1 the FMR or APCER is higher.
        """
        if self.rate == "BPCER":
            highest = curve.at_fnmr(self.at_most).threshold
            step = math.ceil(highest * _STEPS)
            while step / _STEPS > highest:
                step -= 1
            return step / _STEPS
        lowest = curve.at_fmr(self.at_most).threshold
        step = math.floor(lowest * _STEPS)
        while step / _STEPS < lowest:
            step += 1
        if step > _STEPS:
            raise ModelError(f"no threshold has a {self.rate} of {percent(self.at_most)}: too many photos score 1")
        return step / _STEPS


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What a threshold is calibrated on.

    Attributes:
        trials: the number of trials behind the target rate.
        counted: what these trials are called.
    """

    curve: Curve
    trials: int
    counted: str
