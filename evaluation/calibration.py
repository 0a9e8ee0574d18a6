"""Choose the threshold for a target error rate."""

import math
from dataclasses import dataclass
from typing import Literal

from evaluation.figures import percent
from evaluation.verification import Curve
from models.errors import ModelError

RateName = Literal["FMR", "APCER", "BPCER"]

_STEPS = 10**6
"""Thresholds have six decimals."""


@dataclass(frozen=True, slots=True)
class Target:
    """A maximum error rate."""

    rate: RateName
    at_most: float

    @property
    def extreme(self) -> str:
        """Which threshold within this rate is chosen: the one with the lowest rate of the other error."""
        return "highest" if self.rate == "BPCER" else "lowest"

    def threshold(self, curve: Curve) -> float:
        """Return the lowest threshold within this FMR or APCER, or the highest within this BPCER, to six decimals.

        Raises:
            ModelError: the FMR or APCER is higher even at the threshold 1.
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
    """The data that a threshold is calibrated on.

    Attributes:
        trials: number of trials for the target rate.
        counted: what the trials are called in messages.
    """

    curve: Curve
    trials: int
    counted: str
