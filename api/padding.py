"""Embeddings padded with zeros to the 512 numbers that two contracts document.

Zeros change neither the cosine similarity nor a distance, so old clients keep their columns of 512 numbers.
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
"""Length of an embedding in the FaceNet and DeepFace contracts."""

Vector = NDArray[np.float32]

NetworkDimensions = Annotated[
    int, Field(description="Size of the network's embeddings, without the zeros that pad them.")
]
"""A field beside the length of the padded embedding."""


def answered_dimensions(service: Service, size: int) -> int:
    """Length of a returned embedding whose network gives `size` numbers."""
    return max(size, CONTRACT_DIMENSIONS) if service.policy.pad_embeddings else size


def padded(service: Service, embedding: Vector) -> list[float]:
    """Pad a network's embedding, float32 (size), for the response."""
    size = len(embedding)
    return [*embedding.tolist(), *[0.0] * (answered_dimensions(service, size) - size)]


def unpadded(service: Service, role: str, pair: EmbeddingPair) -> tuple[Vector, Vector]:
    """Strip the zeros of `padded` from both embeddings of a request, float32 (size) each.

    Args:
        role: the contract's embedder.

    Raises:
        Refused: ``INVALID_REQUEST``: one is of another network than the contract's, or they are of two networks.
    """
    sizes = {role: embedding_kind(stage).size for role, stage in service.stages.of(EMBEDDER.name).items()}
    first, second = pair.vectors()
    if service.policy.pad_embeddings and role in sizes:
        first = _unpadded("embedding1", first, sizes[role], {*sizes.values()})
        second = _unpadded("embedding2", second, sizes[role], {*sizes.values()})
    if len(first) != len(second):
        raise Refused(
            "INVALID_REQUEST",
            f"embedding1 has {len(first)} numbers and embedding2 has {len(second)}; "
            "embeddings of one network have the same number",
        )
    return first, second


def _unpadded(name: str, vector: Vector, size: int, sizes: set[int]) -> Vector:
    """Strip padding: keep `size` numbers, or fewer if the last nonzero number ends another of `sizes` exactly."""
    if len(vector) != CONTRACT_DIMENSIONS:
        return vector
    used = int(np.flatnonzero(vector)[-1]) + 1
    if used > size:
        raise Refused(
            "INVALID_REQUEST",
            f"{name} is of another network: this one gives {size} numbers, and the numbers after them are not all zero",
        )
    return vector[: used if used in sizes else size]
