"""Choosing the threshold for a wished error rate."""

import math

from evaluation.figures import percent
from evaluation.verification import Curve
from models.errors import ModelError

_STEPS = 10**6
"""Thresholds of six decimals are exact enough, and can be read."""


def calibrated(curve: Curve, fmr: float) -> float:
    """The least threshold of six decimals at which the curve's FMR, or APCER, is at most `fmr`.

    Raises:
        ModelError: even the highest score, 1, is too frequent among impostors.
    """
    lowest = curve.at_fmr(fmr).threshold
    step = math.floor(lowest * _STEPS)
    while step / _STEPS < lowest:
        step += 1
    if step > _STEPS:
        raise ModelError(f"no threshold has a rate of {percent(fmr)}: too many of these photos score 1")
    return step / _STEPS
