"""Comparing the codes of probes with the codes of faces."""

from typing import Any

import numkong
import numpy as np
from numpy.typing import NDArray

from gallery.search.code_kernels import near_to_one, near_to_some

Near = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]
"""Rows, probes and scores."""


class CodeComparison:
    """Compares rows of codes with the same probes. Releases the GIL.

    One probe is compared by a loop of our own, which is faster than NumKong's; for more, it is the other way round.
    NumKong's own threads are not used: they wait for each other without giving up their cores.

    Args:
        probes: int8 (probes, size).
        rows: largest number of rows at a time.
    """

    def __init__(self, probes: NDArray[np.int8], rows: int) -> None:
        self._alone, self._near_to_one = probes[0].astype(np.int16), near_to_one(probes.shape[1])
        self._packed = numkong.dots_pack(probes) if len(probes) > 1 else None
        if self._packed:
            self._products = numkong.zeros((rows, len(probes)), dtype="int32")
        self._rows, self._probes = (np.zeros(rows * len(probes), np.int32) for _ in range(2))
        self._scores = np.empty(rows * len(probes), np.float32)

    def near(self, codes: NDArray[np.int8], scales: NDArray[np.float32], lowest: NDArray[np.float32]) -> Near:
        """Return the rows and probes whose product, times the row's scale, is at least the probe's `lowest`.

        Args:
            codes: int8 (rows, size).
            scales: float32 (rows).
            lowest: float32 (probes).
        """
        if self._packed is None:
            found = self._near_to_one(codes, scales, self._alone, lowest[0], self._rows, self._scores)
        else:
            # Only a tensor of its own works here, other than its stubs say.
            products: Any = self._products[: len(codes)]
            numkong.dots_packed(codes, self._packed, out=products)
            found = near_to_some(np.asarray(products), scales, lowest, self._rows, self._probes, self._scores)
        return self._rows[:found].astype(np.int64), self._probes[:found].copy(), self._scores[:found].copy()
