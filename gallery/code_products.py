"""Products of the codes of probes with the codes of faces."""

import numpy as np
from numpy.typing import NDArray

BLOCK = 2048
"""Rows converted to float32 at a time. They stay in the processor's cache."""


class CodeProducts:
    """Multiplies many rows of codes with the same probes. Releases the GIL.

    Args:
        probes: int8 (probes, size).
        rows: largest number of rows at a time.
    """

    def __init__(self, probes: NDArray[np.int8], rows: int) -> None:
        self._probes = np.ascontiguousarray(probes.T.astype(np.float32))
        self._block = np.empty((BLOCK, probes.shape[1]), np.float32)
        self._products = np.empty((rows, len(probes)), np.int32)

    def of(self, codes: NDArray[np.int8]) -> NDArray[np.int32]:
        """Return the products of each row with each probe, int32 (rows * probes). The next call overwrites them.

        Args:
            codes: int8 (rows, size).
        """
        for first in range(0, len(codes), BLOCK):
            part = codes[first : first + BLOCK]
            block = self._block[: len(part)]
            block[:] = part
            # Exact: sums of up to 1,040 products of codes are integers below 2^24.
            self._products[first : first + BLOCK][: len(part)] = block @ self._probes
        return self._products[: len(codes)].reshape(-1)
