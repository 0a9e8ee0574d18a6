"""How much the answers of a network differ between two runtimes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from imaging.faces import Face
from imaging.geometry import intersection_over_union
from models.tasks import DETECTOR

Answers = NDArray[np.float32] | Sequence[Sequence[Face]]
"""A row per crop, or the faces of each photo."""

MEASURES = {
    DETECTOR: "smallest IoU",
    "embedder": "1 - cosine",
    "liveness": "logit",
    "pose": "degrees",
    "eyes": "probability",
}
"""What is compared, by task: the unit of the largest difference or, for detectors, the smallest IoU."""


def parity(task: str, expected: Answers, found: Answers) -> float | None:
    """Compare the answers for one sample, as in `MEASURES`. None if no face was found."""
    if task == DETECTOR:
        pairs = zip(expected, found, strict=True)
        return min((fit for some, others in pairs for fit in _fits(some, others)), default=None)
    one, other = np.asarray(expected, np.float64), np.asarray(found, np.float64)
    if task == "embedder":
        lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
        return float(np.max(1 - (one * other).sum(axis=-1) / lengths))
    return float(np.abs(one - other).max())


def _fits(some: Sequence[Face], others: Sequence[Face]) -> list[float]:
    """Return the intersection over union (IoU) of each face with its best match on the other side, or 0 without one."""
    sides = ((some, others), (others, some))
    return [
        max((intersection_over_union(face.box, match.box) for match in b), default=0.0) for a, b in sides for face in a
    ]
