"""The inner loops of a search, compiled to machine code. They release the GIL."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_SCALES = "Array(float32, 1, 'C', readonly=True)"
CODES = f"Array(int8, 2, 'C', readonly=True), {_SCALES}"
"""Numba's types of the arguments for codes and their scales."""
LOWEST = "float32[::1]"
"""Numba's type of the argument for the lowest scores."""
FOUND = "int32[::1], int32[::1], float32[::1]"
"""Numba's types of the output arguments."""


@cache
def near_to_few(size: int) -> Callable[..., int]:
    """Return a function for embeddings of this length. Compiling it takes half a second, once per length.

    It writes the pairs of row and probe whose product, times the row's scale, is at least the probe's `lowest`, and
    returns the number of pairs. Its arguments:

    - probes: int16 (probes, size), which needs fewer conversions than int8.
    - codes: int8 (faces, size).
    - scales: float32 (faces).
    - lowest: float32 (probes).
    - rows, numbers, scores: output arrays for row indices, probe indices and scores, int32, int32 and float32
      (faces * probes).
    """

    def near(probes: Any, codes: Any, scales: Any, lowest: Any, rows: Any, numbers: Any, scores: Any) -> int:
        found = 0
        for row in range(len(codes)):
            for probe in range(len(probes)):
                product = np.int32(0)
                # A loop of known length is faster, and so is 32-bit arithmetic. Numba would choose 64 bits.
                for column in range(size):
                    product = np.int32(product + np.int32(codes[row, column]) * np.int32(probes[probe, column]))
                score = np.float32(product) * scales[row]
                if score >= lowest[probe]:
                    rows[found], numbers[found], scores[found] = row, probe, score
                    found += 1
        return found

    signature = f"int64(int16[:, ::1], {CODES}, {LOWEST}, {FOUND})"
    compiled: Callable[..., int] = njit(signature, nogil=True)(near)
    return compiled


@njit(f"int64(int32[:, ::1], {_SCALES}, {LOWEST}, {FOUND})", nogil=True)
def near_to_many(
    products: NDArray[np.int32],
    scales: NDArray[np.float32],
    lowest: NDArray[np.float32],
    rows: NDArray[np.int32],
    numbers: NDArray[np.int32],
    scores: NDArray[np.float32],
) -> int:
    """Write the pairs of row and probe whose product, times the row's scale, is at least the probe's `lowest`.

    Args:
        products: int32 (faces, at least as many columns as probes).
        scales, lowest, rows, numbers, scores: as in `near_to_few`.

    Returns:
        The number of pairs.
    """
    found = 0
    for row in range(len(products)):
        # Few rows are near to any probe. Without a branch, the processor compares many products at a time.
        some = np.int32(0)
        for probe in range(len(lowest)):
            some |= np.int32(np.float32(products[row, probe]) * scales[row] >= lowest[probe])
        if some:
            for probe in range(len(lowest)):
                score = np.float32(products[row, probe]) * scales[row]
                if score >= lowest[probe]:
                    rows[found], numbers[found], scores[found] = row, probe, score
                    found += 1
    return found
