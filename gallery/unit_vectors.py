"""Embeddings of length 1, and their cosine similarities."""

import numpy as np
from numpy.typing import NDArray

from project.request_error import RequestError


def normalised(values: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Return a client's embedding scaled to length 1.

    Args:
        values: float32 (size).

    Raises:
        RequestError: ``INVALID_EMBEDDING``: the embedding has a different size, is not finite, or is zero.
    """
    if values.shape != (size,):
        raise RequestError(
            "INVALID_EMBEDDING", f"The embedding has {values.size} numbers, but the collection requires {size}"
        )
    unit, usable = normalised_rows(values[np.newaxis])
    if not usable[0]:
        raise RequestError("INVALID_EMBEDDING", "The embedding is zero or not finite")
    row: NDArray[np.float32] = unit[0]
    return row


def normalised_rows(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Scale each row of `vectors` to length 1.

    Args:
        vectors: float32 (rows, size).

    Returns:
        float32 (rows, size), and whether each row was finite and longer than 1e-6.
    """
    wide = vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (wide / lengths[:, np.newaxis]).astype(np.float32), (lengths > 1e-6) & (lengths < np.inf)


def clipped(cosine: float) -> float:
    """Clip `cosine` to the range from -1 to 1, which rounding can exceed."""
    return min(max(cosine, -1.0), 1.0)
