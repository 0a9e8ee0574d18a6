"""Embeddings in requests."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, FailFast, Field
from pydantic_core import PydanticCustomError

MOST_NUMBERS = 4096
"""Far more than any network's embedding has."""


def vector_of(numbers: list[float]) -> NDArray[np.float32]:
    """An embedding of a request as float32 (size)."""
    with np.errstate(over="ignore"):
        return np.array(numbers, np.float32)


def _usable(numbers: list[float]) -> list[float]:
    vector = vector_of(numbers)
    # Squares of 32-bit numbers always fit into 64 bits: no distance of what passes here overflows.
    if not np.isfinite(vector).all():
        raise PydanticCustomError("embedding_range", "Input should have numbers that 32 bits can hold")
    if not vector.any():
        raise PydanticCustomError("embedding_zero", "Input should have a number other than zero")
    return numbers


# Strict: without it, true is 1 and "1" is 1.
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Embedding = Annotated[
    list[Number],
    Field(
        strict=True,
        min_length=1,
        max_length=MOST_NUMBERS,
        description="Finite numbers that are not all zero, as an embedding route gave them.",
    ),
    FailFast(),
    AfterValidator(_usable),
]
"""An embedding in a request."""


class EmbeddingPair(BaseModel):
    """Two embeddings of one network."""

    embedding1: Embedding
    embedding2: Embedding

    def vectors(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Both as float32 (size), as they were sent; `api.padding.unpadded` makes them comparable."""
        return vector_of(self.embedding1), vector_of(self.embedding2)
