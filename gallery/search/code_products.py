"""Products of the codes of probes with the codes of faces."""

from typing import Any

import numkong
import numpy as np
from numpy.typing import NDArray


class CodeProducts:
    """Multiplies many rows of codes with the same probes. Releases the GIL.

    NumKong's own threads are not used: they wait for each other without giving up their cores.

    Args:
        probes: int8 (probes, size).
        rows: largest number of rows at a time.
    """

    def __init__(self, probes: NDArray[np.int8], rows: int) -> None:
        self._probes = numkong.dots_pack(probes)
        self._products = numkong.zeros((rows, len(probes)), dtype="int32")

    def of(self, codes: NDArray[np.int8]) -> NDArray[np.int32]:
        """Return the products of each row with each probe, int32 (rows * probes). The next call overwrites them.

        Args:
            codes: int8 (rows, size).
        """
        # Only a tensor of its own works here, other than its stubs say.
        products: Any = self._products[: len(codes)]
        numkong.dots_packed(codes, self._probes, out=products)
        return np.asarray(products).reshape(-1)
