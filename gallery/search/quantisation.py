"""Embeddings in eight bits per number, and how far their products can be from the exact cosine similarities."""

import numpy as np
from numpy.typing import NDArray

LARGEST = 127
"""Codes range from -127 to 127, symmetric around zero."""
USUAL_LARGEST = 4.0
"""Few numbers of an embedding are larger than this, in multiples of their root mean square. Most faces get the scale of
such a number: if most scales are equal, products can be compared without them first (`gallery.search.code_scan`)."""
ROUNDING = 1e-5
"""More than float32 arithmetic adds to the difference between two scores."""


def quantised(vectors: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32]]:
    """Round each row to multiples of a scale: its largest magnitude divided by 127, or more if that is small.

    Args:
        vectors: float32 (rows, size) of length 1.

    Returns:
        Codes int8 (rows, size), scales float32 (rows), and errors float32 (rows): the lengths of the differences
        between each row and its scale times its codes.
    """
    least = USUAL_LARGEST / np.sqrt(vectors.shape[1])
    scales = (np.abs(vectors).max(axis=1, initial=least) / LARGEST).astype(np.float32)
    codes = np.rint(vectors / scales[:, None])
    errors = np.linalg.norm(vectors - codes * scales[:, None], axis=1)
    return codes.astype(np.int8), scales, errors


def most_apart(face_error: float, probe_errors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a bound on the difference between a score of codes and the cosine similarity of the embeddings.

    For unit vectors x and p with codes x' and p', x·p - x'·p' = (x - x')·p + x'·(p - p'). By the inequality of Cauchy
    and Schwarz that is at most e + (1 + e) f, where e and f are the lengths of the two differences.

    Args:
        face_error: the largest error of a face's codes.
        probe_errors: float32 (probes).

    Returns:
        float32 (probes).
    """
    return np.asarray(face_error + (1 + face_error) * probe_errors + ROUNDING, np.float32)
