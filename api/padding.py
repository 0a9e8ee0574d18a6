"""Pad embeddings with zeros to the 512 numbers that two contracts document.

Zeros change neither the cosine similarity nor the distances, so clients can keep storing 512 numbers.
"""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from api.embeddings import EmbeddingPair
from api.service import Service
from graphs.stages import embedding_kind
from imaging.refused import Refused
from models.tasks.embedder import EMBEDDER

CONTRACT_DIMENSIONS = 512
"""Length of an embedding in the contracts of the FaceNet and DeepFace services."""

Vector = NDArray[np.float32]

NetworkDimensions = Annotated[int, Field(description="Length of the network's embeddings without padding.")]
"""Type of a field that is returned with the length of the padded embedding."""


def answered_dimensions(service: Service, size: int) -> int:
    """Return the length of a returned embedding whose network returns `size` numbers."""
    return max(size, CONTRACT_DIMENSIONS) if service.policy.pad_embeddings else size


def padded(service: Service, embedding: Vector) -> list[float]:
    """Pad a network's embedding, float32 (size), for the response."""
    size = len(embedding)
    return [*embedding.tolist(), *[0.0] * (answered_dimensions(service, size) - size)]


def unpadded(service: Service, role: str, pair: EmbeddingPair) -> tuple[Vector, Vector]:
    """Remove padding from both embeddings of a request and return them as float32 (size).

    Args:
        role: role of the contract's embedder.

    Raises:
        Refused: ``INVALID_REQUEST`` if the embeddings are not of the contract's network or differ in length.
    """
    sizes = {role: embedding_kind(stage).size for role, stage in service.stages.of(EMBEDDER.name).items()}
    first, second = pair.vectors()
    if service.policy.pad_embeddings and role in sizes:
        first = _unpadded("embedding1", first, sizes[role], {*sizes.values()})
        second = _unpadded("embedding2", second, sizes[role], {*sizes.values()})
    if len(first) != len(second):
        raise Refused(
            "INVALID_REQUEST",
            f"embedding1 has {len(first)} numbers and embedding2 has {len(second)}; they must have the same length",
        )
    return first, second


def _unpadded(name: str, vector: Vector, size: int, sizes: set[int]) -> Vector:
    """Keep the first `size` numbers, or fewer if the last nonzero number is the last of another of `sizes`."""
    if len(vector) != CONTRACT_DIMENSIONS:
        return vector
    used = int(np.flatnonzero(vector)[-1]) + 1
    if used > size:
        raise Refused(
            "INVALID_REQUEST",
            f"{name} was made by another network: this one returns {size} numbers, and the rest are not all zero",
        )
    return vector[: used if used in sizes else size]
