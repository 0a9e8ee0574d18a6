"""A fusion of liveness networks: logistic regression on their live logits.

See Ross, Nandakumar and Jain, "Handbook of Multibiometrics", 2006, for score fusion; `evaluation.fusion` fits it.
"""

import numpy as np
from numpy.typing import NDArray

from models.card import Fusion

LIMIT = 20.0
"""Logits are clipped to ±20, so that one network whose logits are huge cannot decide alone."""


def clipped(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """The members' live logits as the regression takes them, within ±LIMIT."""
    return np.clip(np.asarray(logits, dtype=np.float64), -LIMIT, LIMIT)


def fused(fusion: Fusion, logits: NDArray[np.floating]) -> NDArray[np.float32]:
    """The live logits of n faces, float32 (n), from those of the fusion's members, (n, members)."""
    return np.asarray(clipped(logits) @ np.array(fusion.weights) + fusion.bias, dtype=np.float32)
