"""A fusion of liveness networks: logistic regression on their live logits.

See Ross, Nandakumar and Jain, "Handbook of Multibiometrics", 2006, for score fusion; `evaluation.fusion` fits it.
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from models.sources import Strict

LIMIT = 20.0
"""Logits are clipped to ±20, so that one network whose logits are huge cannot decide alone."""


class Fusion(Strict):
    """Liveness networks combined by logistic regression on their logits.

    Attributes:
        members: names of their cards.
        weights: of their logits, in the same order.
        fitted_on: the photos that weights and bias were fitted on.
    """

    members: tuple[str, ...] = Field(min_length=2)
    weights: tuple[float, ...]
    bias: float
    fitted_on: str

    @model_validator(mode="after")
    def _weights_match_the_members(self) -> "Fusion":
        if len(self.weights) != len(self.members):
            raise ValueError("a fusion has one weight for each member")
        if len(set(self.members)) != len(self.members):
            raise ValueError("a fusion has each member once")
        return self


def clipped(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """The members' live logits as the regression takes them, within ±LIMIT."""
    return np.clip(np.asarray(logits, dtype=np.float64), -LIMIT, LIMIT)


def fused(fusion: Fusion, logits: NDArray[np.floating]) -> NDArray[np.float32]:
    """The live logits of n faces, float32 (n), from those of the fusion's members, (n, members)."""
    return np.asarray(clipped(logits) @ np.array(fusion.weights) + fusion.bias, dtype=np.float32)
