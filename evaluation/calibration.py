"""Choose the threshold for a target error rate."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Literal

from evaluation.figures import percent
from evaluation.verification import Curve
from models.errors import ModelError

RateName = Literal["FMR", "APCER", "BPCER"]


@dataclass(frozen=True, slots=True)
class Target:
    """A maximum error rate."""

    rate: RateName
    at_most: float

    @property
    def extreme(self) -> str:
        """Which of the thresholds within this rate is chosen: the one at which the other error rate is lowest."""
        return "highest" if self.rate == "BPCER" else "lowest"

    def threshold(self, curve: Curve) -> float:
        """Return the lowest threshold within this FMR or APCER, or the highest within this BPCER, to six decimals.

        Raises:
            ModelError: the FMR or APCER is higher even at the threshold 1.
        """
        if self.rate == "BPCER":
            return _six_decimals(curve.at_fnmr(self.at_most).threshold, ROUND_FLOOR)
        lowest = _six_decimals(curve.at_fmr(self.at_most).threshold, ROUND_CEILING)
        if lowest > 1:
            raise ModelError(
                f"no threshold keeps {self.rate} at or below {percent(self.at_most)}: too many scores are 1"
            )
        return lowest


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


def _six_decimals(threshold: float, rounding: str) -> float:
    return float(Decimal(threshold).quantize(Decimal("0.000001"), rounding))
