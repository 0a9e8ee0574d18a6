"""Chooses the threshold of a decision, for all flows."""

from dataclasses import dataclass
from typing import Literal

from graphs.flow_settings import FlowSettings
from graphs.stages import FaceStage

ThresholdSource = Literal["request", "collection", "configuration", "card", "contract"]
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


def first_set(
    *,
    request: float | None = None,
    collection: float | None = None,
    configuration: float | None = None,
    card: float | None = None,
    contract: float | None = None,
) -> AppliedThreshold:
    """Return the first of these cosine similarities that is set, in this order. At least one must be set."""
    given: dict[ThresholdSource, float | None] = {
        "request": request,
        "collection": collection,
        "configuration": configuration,
        "card": card,
        "contract": contract,
    }
    return next(AppliedThreshold(value, source) for source, value in given.items() if value is not None)


def threshold_of(
    settings: FlowSettings,
    embedder: FaceStage,
    *,
    request: float | None = None,
    collection: float | None = None,
    metric: ComparisonMetric = "cosine",
) -> AppliedThreshold:
    """Return the threshold of /v1 for two embeddings of `embedder`.

    Args:
        request: threshold of the request, in `metric`.
        collection: cosine similarity of the collection; ignored for other metrics.
    """
    configuration, card = settings.thresholds.get(embedder.role), embedder.card.threshold("cosine").value
    if metric == "cosine":
        return first_set(request=request, collection=collection, configuration=configuration, card=card)
    if request is not None:
        return AppliedThreshold(request, "request")
    found = first_set(configuration=configuration, card=card)
    return AppliedThreshold(euclidean(found.value), found.source)


def euclidean(cosine: float) -> float:
    """Return the distance between two embeddings of length 1 whose cosine similarity is `cosine`."""
    return float((2 - 2 * cosine) ** 0.5)
