"""Zero-pads embeddings to 512 numbers, the length documented by two contracts.

Zeros change neither the cosine similarity nor the distances, so clients can keep storing 512 numbers.
"""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from api.embeddings import EmbeddingPair
from api.service import Service
from graphs.stages import embedding_kind
from models.tasks.embedder import EMBEDDER
from project.request_error import RequestError

CONTRACT_DIMENSIONS = 512
"""Length of an embedding in the contracts of the FaceNet and DeepFace services."""

Vector = NDArray[np.float32]

NetworkDimensions = Annotated[int, Field(description="Length of the model's embeddings without padding.")]
"""Type of a response field that accompanies the length of the padded embedding."""


def answered_dimensions(service: Service, size: int) -> int:
    """Return the length of an embedding in responses, given its length `size` without padding."""
    return max(size, CONTRACT_DIMENSIONS) if service.settings.pad_embeddings else size


def padded(service: Service, embedding: Vector) -> list[float]:
    """Pad a network's embedding, float32 (size), for the response."""
    size = len(embedding)
    return [*embedding.tolist(), *[0.0] * (answered_dimensions(service, size) - size)]


def unpadded(service: Service, role: str, pair: EmbeddingPair) -> tuple[Vector, Vector]:
    """Remove padding from both embeddings of a request and return them as float32 (size).

    Args:
        role: role of the contract's embedder.

    Raises:
        RequestError: ``INVALID_REQUEST`` if an embedding has nonzero numbers beyond the length of the contract's model,
            or if the two differ in length without padding.
    """
    sizes = {role: embedding_kind(stage).size for role, stage in service.stages.of(EMBEDDER.name).items()}
    first, second = pair.vectors()
    if service.settings.pad_embeddings and role in sizes:
        first = _unpadded("embedding1", first, sizes[role], {*sizes.values()})
        second = _unpadded("embedding2", second, sizes[role], {*sizes.values()})
    if len(first) != len(second):
        raise RequestError(
            "INVALID_REQUEST",
            f"embedding1 has {len(first)} numbers and embedding2 has {len(second)}; they must have the same length",
        )
    return first, second


def _unpadded(name: str, vector: Vector, size: int, sizes: set[int]) -> Vector:
    """Remove padding: the numbers beyond the length of the contract's model.

    If only zeros follow after another model's length, the embedding counts as that model's, and is cut at that length.
    The caller compares the lengths of both embeddings.
    """
    if len(vector) != CONTRACT_DIMENSIONS:
        return vector
    used = int(np.flatnonzero(vector)[-1]) + 1
    if used > size:
        raise RequestError(
            "INVALID_REQUEST",
            f"{name} comes from a different model: this model's embeddings have {size} numbers, "
            f"but {name} has nonzero values after them",
        )
    return vector[: used if used in sizes else size]
