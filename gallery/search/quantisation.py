"""Embeddings in eight bits per number, and how far their products can be from the exact cosine similarities."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LARGEST = 127
"""Codes range from -127 to 127, symmetric around zero."""
ROUNDING = 1e-5
"""Upper bound on what float32 arithmetic adds to the difference between two scores."""


@dataclass(frozen=True, slots=True, eq=False)
class CodedFaces:
    """Codes of faces.

    Attributes:
        codes: int8 (rows, size).
        scales: float32 (rows).
    """

    codes: NDArray[np.int8]
    scales: NDArray[np.float32]


def quantised(vectors: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32]]:
    """Round each row to multiples of a scale: its largest magnitude divided by 127.

    Args:
        vectors: float32 (rows, size) of length 1.

    Returns:
        Codes int8 (rows, size), scales float32 (rows), and errors float32 (rows): the lengths of the differences
        between each row and its scale times its codes.
    """
    scales = (np.abs(vectors).max(axis=1) / LARGEST).astype(np.float32)
    codes = np.rint(vectors / scales[:, None])
    errors = np.linalg.norm(vectors - codes * scales[:, None], axis=1)
    return codes.astype(np.int8), scales, errors


def most_apart(face_error: float, probe_errors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a bound on the difference between a score of codes and the cosine similarity of the embeddings.

    For unit vectors x and p with codes x' and p', x·p - x'·p' = (x - x')·p + x'·(p - p'). By the Cauchy-Schwarz
    inequality, this is at most e + (1 + e) f, where e and f are the lengths of x - x' and p - p'.

    Args:
        face_error: the largest error of a face's codes.
        probe_errors: float32 (probes).

    Returns:
        float32 (probes).
    """
    return np.asarray(face_error + (1 + face_error) * probe_errors + ROUNDING, np.float32)
