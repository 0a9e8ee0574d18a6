"""Embeddings in requests."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, FailFast, Field
from pydantic_core import PydanticCustomError

MAX_NUMBERS = 4096
"""Maximum length of an embedding in a request, well above any model's."""


def vector_of(numbers: list[float]) -> NDArray[np.float32]:
    """Convert an embedding of a request to float32 (size)."""
    with np.errstate(over="ignore"):
        return np.array(numbers, np.float32)


def _usable(numbers: list[float]) -> list[float]:
    vector = vector_of(numbers)
    # Values within float32 range are enough: distances are computed in float64, where their squares cannot overflow.
    if not np.isfinite(vector).all():
        raise PydanticCustomError("embedding_range", "Input should contain only numbers in the range of 32-bit floats")
    if not vector.any():
        raise PydanticCustomError("embedding_zero", "Input should not be all zeros")
    return numbers


# Strict, because pydantic would convert true and "1" to 1.
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Embedding = Annotated[
    list[Number],
    Field(
        strict=True,
        min_length=1,
        max_length=MAX_NUMBERS,
        description="Finite numbers, not all zero, as returned by an embedding route.",
    ),
    FailFast(),
    AfterValidator(_usable),
]
"""An embedding in a request."""


class EmbeddingPair(BaseModel):
    """Two embeddings of the same model."""

    embedding1: Embedding
    embedding2: Embedding

    def vectors(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Convert both to float32 (size), including any padding; `api.padding.unpadded` removes it."""
        return vector_of(self.embedding1), vector_of(self.embedding2)
