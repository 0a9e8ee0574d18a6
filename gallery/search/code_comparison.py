"""Comparing the codes of probes with the codes of faces."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numkong
import numpy as np
from numpy.typing import NDArray

from gallery.search import vnni_kernel
from gallery.search.code_kernels import near_to_few, near_to_many

Near = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]
"""Row indices, probe indices, and scores: each is the product of the codes times the row's scale."""
FEW_PROBES = 4
"""Up to this number of probes, `near_to_few` is faster than NumKong. VNNI is faster for four by up to a fifth."""
_Compare = Callable[..., int]
"""Takes codes, scales, lowest scores and the arrays for what is found; see `code_kernels.near_to_few`."""


def compile_for(size: int) -> None:
    """Compile the loops for embeddings of this length, so that no search waits for them."""
    near_to_few(size)
    if vnni_kernel.is_supported(size):
        vnni_kernel.compiled()


class CodeComparison:
    """Compares rows of codes with the same probes. Releases the GIL.

    Args:
        probes: int8 (probes, size).
        rows: maximum number of rows per call.
    """

    def __init__(self, probes: NDArray[np.int8], rows: int) -> None:
        self._parts = [(first, len(part), _comparison(part, rows)) for first, part in _divided(probes)]
        self._rows, self._numbers = (np.empty(rows * len(probes), np.int32) for _ in range(2))
        self._scores = np.empty(rows * len(probes), np.float32)

    def near(self, codes: NDArray[np.int8], scales: NDArray[np.float32], lowest: NDArray[np.float32]) -> Near:
        """Return the rows and probes whose product, times the row's scale, is at least the probe's `lowest`.

        Args:
            codes: int8 (rows, size).
            scales: float32 (rows).
            lowest: float32 (probes).
        """
        found = 0
        for first, count, compare in self._parts:
            rest = self._rows[found:], self._numbers[found:], self._scores[found:]
            number = compare(codes, scales, lowest[first : first + count], *rest)
            self._numbers[found : found + number] += first
            found += number
        return self._rows[:found].astype(np.int64), self._numbers[:found].copy(), self._scores[:found].copy()


def _divided(probes: NDArray[np.int8]) -> list[tuple[int, NDArray[np.int8]]]:
    """Divide probes as the processor requires, and return the first index of each part with the part."""
    most = vnni_kernel.MOST_PROBES if vnni_kernel.is_supported(probes.shape[1]) else len(probes)
    return [(first, probes[first : first + most]) for first in range(0, len(probes), most)]


def _comparison(probes: NDArray[np.int8], rows: int) -> _Compare:
    size = probes.shape[1]
    if len(probes) <= FEW_PROBES:
        return partial(near_to_few(size), probes.astype(np.int16))
    if vnni_kernel.is_supported(size):
        return vnni_kernel.near_to_several(probes)
    # NumKong is slower with numbers of probes that are not a multiple of four.
    padded = np.pad(probes, ((0, -len(probes) % 4), (0, 0)))
    products = numkong.zeros((rows, len(padded)), dtype="int32")
    return partial(_near_by_numkong, numkong.dots_pack(padded), products)


def _near_by_numkong(packed: Any, products: Any, codes: NDArray[np.int8], *others: Any) -> int:
    # NumKong's own threads are not used: they wait for each other without giving up their cores. It accepts only its
    # own tensors here, although its stubs allow arrays.
    numkong.dots_packed(codes, packed, out=products[: len(codes)])
    return near_to_many(np.asarray(products[: len(codes)]), *others)
