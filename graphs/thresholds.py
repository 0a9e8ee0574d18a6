"""Which threshold decides, and who set it."""

from dataclasses import dataclass
from typing import Literal

from gallery.records import Collection
from graphs.policy import Policy
from graphs.stages import EmbedderStage

Metric = Literal["cosine", "euclidean"]


@dataclass(frozen=True, slots=True)
class Applied:
    """The threshold that decides.

    Attributes:
        value: least similarity, or greatest distance.
        source: who set it; the first of request, collection, configuration and card that did.
    """

    value: float
    source: Literal["request", "collection", "configuration", "card"]


def configured(policy: Policy, role: str, embedder: EmbedderStage) -> Applied:
    """The cosine similarity at which two embeddings of `role` match unless somebody asks for another one."""
    if role in policy.thresholds:
        return Applied(policy.thresholds[role], "configuration")
    return Applied(embedder.threshold, "card")


def applied(
    requested: float | None, collection: Collection | None, default: Applied, metric: Metric = "cosine"
) -> Applied:
    """The threshold for `metric`; a collection's is of the cosine similarity and counts for that alone.

    Args:
        default: the embedder's, as `configured` has it.
    """
    if requested is not None:
        return Applied(requested, "request")
    if metric == "cosine" and collection is not None and collection.threshold is not None:
        return Applied(collection.threshold, "collection")
    return default if metric == "cosine" else Applied(euclidean(default.value), default.source)


def first_set(*values: float | None) -> float:
    """The first threshold that somebody set; the last one is always set."""
    return next(value for value in values if value is not None)


def euclidean(cosine: float) -> float:
    """The distance of two embeddings of length 1 that have the similarity `cosine`."""
    return float((2 - 2 * cosine) ** 0.5)
