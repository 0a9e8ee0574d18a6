"""Chooses the threshold of a decision, for all flows."""

from dataclasses import dataclass
from typing import Literal

from graphs.flow_settings import FlowSettings
from graphs.stages import FaceStage

ThresholdSource = Literal["request", "collection", "configuration", "card"]
ComparisonMetric = Literal["cosine", "euclidean"]


@dataclass(frozen=True, slots=True)
class AppliedThreshold:
    """The threshold of a decision.

    Attributes:
        value: minimum similarity or maximum distance of a match.
        source: where the value was set.
    """

    value: float
    source: ThresholdSource


def first_set(*values: float | None) -> float:
    """Return the first of `values` that is set. At least one must be."""
    return next(value for value in values if value is not None)


def threshold_of(
    settings: FlowSettings,
    embedder: FaceStage,
    *,
    request: float | None = None,
    collection: float | None = None,
    metric: ComparisonMetric = "cosine",
) -> AppliedThreshold:
    """Return the threshold that /v1 applies to a comparison of two embeddings of `embedder`.

    Args:
        request: threshold of the request, in `metric`.
        collection: threshold of the collection, a cosine similarity; ignored for other metrics.
    """
    given: dict[ThresholdSource, float | None] = {
        "request": request,
        "collection": collection if metric == "cosine" else None,
        "configuration": settings.thresholds.get(embedder.role),
        "card": embedder.card.threshold("cosine").value,
    }
    source, value = next((source, value) for source, value in given.items() if value is not None)
    if metric == "euclidean" and source != "request":
        value = euclidean(value)
    return AppliedThreshold(value, source)


def euclidean(cosine: float) -> float:
    """Return the distance between two embeddings of length 1 whose cosine similarity is `cosine`."""
    return float((2 - 2 * cosine) ** 0.5)
