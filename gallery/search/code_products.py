"""Products of the codes of probes with the codes of faces."""

from typing import Any

import numkong
import numpy as np
from numpy.typing import NDArray

PACKED_SIZE = 256
"""Embeddings up to this length are multiplied faster with a packed probe, longer ones with a plain one."""


class CodeProducts:
    """Multiplies many rows of codes with the same probes. Releases the GIL.

    NumKong's own threads are not used: they wait for each other without giving up their cores.

    Args:
        probes: int8 (probes, size).
        rows: largest number of rows at a time.
    """

    def __init__(self, probes: NDArray[np.int8], rows: int) -> None:
        self._probes = probes
        self._packed = None
        if len(probes) > 1 or probes.shape[1] <= PACKED_SIZE:
            self._packed = numkong.dots_pack(probes)
            self._products = numkong.zeros((rows, len(probes)), dtype="int32")

    def of(self, codes: NDArray[np.int8]) -> NDArray[np.int32] | NDArray[np.float64]:
        """Return the products of each row with each probe, (rows * probes). The next call may overwrite them.

        Args:
            codes: int8 (rows, size).
        """
        if self._packed is None:
            return np.asarray(numkong.cdist(codes, self._probes, "dot")).reshape(-1)
        # Only a tensor of its own works here, other than its stubs say.
        products: Any = self._products[: len(codes)]
        numkong.dots_packed(codes, self._packed, out=products)
        return np.asarray(products).reshape(-1)
