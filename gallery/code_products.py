"""Products of the codes of probes with the codes of faces."""

import numpy as np
from numpy.typing import NDArray


class CodeProducts:
    """Multiplies many rows of codes with the same probes. Releases the GIL.

    Args:
        probes: int8 (probes, size).
        rows: largest number of rows at a time.
    """

    def __init__(self, probes: NDArray[np.int8], rows: int) -> None:
        self._probes = np.ascontiguousarray(probes.T.astype(np.float32))
        self._rows = np.empty((rows, probes.shape[1]), np.float32)

    def of(self, codes: NDArray[np.int8]) -> NDArray[np.int32]:
        """Return the products of each row with each probe, int32 (rows * probes). The next call overwrites them.

        Args:
            codes: int8 (rows, size).
        """
        rows = self._rows[: len(codes)]
        rows[:] = codes
        # Exact: sums of up to 1,040 products of codes are integers below 2^24.
        return (rows @ self._probes).reshape(-1).astype(np.int32)
