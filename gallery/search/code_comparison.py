"""Comparing the codes of probes with the codes of faces."""

from typing import Any

import numkong
import numpy as np
from numpy.typing import NDArray

from gallery.search.code_kernels import near_to_few, near_to_many

Near = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]
"""Row indices, probe indices, and scores: each is the product of the codes times the row's scale."""
FEW_PROBES = 4
"""Up to this number of probes, a loop of our own is faster than NumKong."""


class CodeComparison:
    """Compares rows of codes with the same probes. Releases the GIL.

    NumKong's own threads are not used: they wait for each other without giving up their cores.

    Args:
        probes: int8 (probes, size).
        rows: maximum number of rows per call.
    """

    def __init__(self, probes: NDArray[np.int8], rows: int) -> None:
        self._few = len(probes) <= FEW_PROBES
        if self._few:
            self._near, self._wide = near_to_few(probes.shape[1]), probes.astype(np.int16)
        else:
            # NumKong is slower with numbers of probes that are not a multiple of four.
            padded = np.pad(probes, ((0, -len(probes) % 4), (0, 0)))
            self._packed = numkong.dots_pack(padded)
            self._products = numkong.zeros((rows, len(padded)), dtype="int32")
        self._rows, self._numbers = (np.empty(rows * len(probes), np.int32) for _ in range(2))
        self._scores = np.empty(rows * len(probes), np.float32)

    def near(self, codes: NDArray[np.int8], scales: NDArray[np.float32], lowest: NDArray[np.float32]) -> Near:
        """Return the rows and probes whose product, times the row's scale, is at least the probe's `lowest`.

        Args:
            codes: int8 (rows, size).
            scales: float32 (rows).
            lowest: float32 (probes).
        """
        found = self._rows, self._numbers, self._scores
        if self._few:
            number = self._near(codes, scales, self._wide, lowest, *found)
        else:
            # NumKong accepts only its own tensors here, although its stubs allow arrays.
            products: Any = self._products[: len(codes)]
            numkong.dots_packed(codes, self._packed, out=products)
            number = near_to_many(np.asarray(products), scales, lowest, *found)
        return self._rows[:number].astype(np.int64), self._numbers[:number].copy(), self._scores[:number].copy()
