"""Fuse liveness networks by logistic regression on their live logits. `evaluation.fusion` fits the weights.

Ross, Nandakumar and Jain, "Handbook of Multibiometrics", 2006.
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from models.sources import Strict

LIMIT = 20.0
"""Logits are clipped to ±20, so that a single network with very large logits cannot decide alone."""


class Fusion(Strict):
    """Liveness networks combined by logistic regression on their logits.

    Attributes:
        members: names of the networks' cards.
        weights: weights of their logits, in the same order.
        fitted_on: the photos on which weights and bias were fitted.
    """

    members: tuple[str, ...] = Field(min_length=2)
    weights: tuple[float, ...]
    bias: float
    fitted_on: str

    @model_validator(mode="after")
    def _weights_match_the_members(self) -> "Fusion":
        if len(self.weights) != len(self.members):
            raise ValueError("a fusion must have one weight per member")
        if len(set(self.members)) != len(self.members):
            raise ValueError("a fusion cannot have the same member twice")
        return self


def clipped_logits(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Clip live logits to ±`LIMIT`."""
    return np.clip(np.asarray(logits, dtype=np.float64), -LIMIT, LIMIT)


def fused(fusion: Fusion, logits: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the live logits of n faces, float32 (n), from the members' logits, (n, members)."""
    return np.asarray(clipped_logits(logits) @ np.array(fusion.weights) + fusion.bias, dtype=np.float32)
