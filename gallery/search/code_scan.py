"""Comparing probes with the codes of all faces, in one pass over memory."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gallery.search.code_products import CodeProducts

PRODUCTS = 2**17
"""Number of products computed at a time. They stay in the processor's cache."""
FIRST_ROWS = 8192
"""Rows of the first step, which finds a threshold for the rest: without one, every row is a candidate."""
PENDING = 256
"""Candidates of a probe after which its threshold is raised."""
# Kept for all searches: starting threads takes a tenth of a millisecond.
_THREADS = ThreadPoolExecutor(thread_name_prefix="scan")


@dataclass(frozen=True, slots=True, eq=False)
class CodedFaces:
    """Codes of faces (`gallery.search.quantisation`).

    Attributes:
        codes: int8 (rows, size).
        scales: float32 (rows).
        largest_scale: none of the scales is larger.
    """

    codes: NDArray[np.int8]
    scales: NDArray[np.float32]
    largest_scale: float


@dataclass(slots=True, eq=False)
class _Candidates:
    """Rows that may be among the nearest to any probe, with the scores of their codes."""

    rows: NDArray[np.int64]
    probes: NDArray[np.int64]
    scores: NDArray[np.float32]

    def of(self, probe: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        chosen = self.probes == probe
        return self.rows[chosen], self.scores[chosen]

    def __add__(self, other: "_Candidates") -> "_Candidates":
        return _Candidates(
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.probes, other.probes]),
            np.concatenate([self.scores, other.scores]),
        )


_NONE = _Candidates(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))


def candidates(
    faces: CodedFaces,
    probes: NDArray[np.int8],
    scales: NDArray[np.float32],
    nearest: int,
    margins: NDArray[np.float32],
    threads: int = 1,
) -> list[tuple[NDArray[np.int64], float]]:
    """Return for each probe the rows whose score is at most its margin below its `nearest`-th best score.

    Args:
        faces: at least one.
        probes: codes of the probes, int8 (probes, size).
        scales: their scales, float32 (probes).
        nearest: at least 1.
        margins: float32 (probes).
        threads: each compares the probes with a part of the faces.

    Returns:
        Rows, and the lowest score that is certainly among them; -inf if all rows are.
    """

    def scan(first: int, last: int) -> _Candidates:
        return _scan(faces, (first, last), probes, scales, nearest, margins)

    parts = max(1, min(threads, len(faces.codes) // FIRST_ROWS))
    bounds = [len(faces.codes) * part // parts for part in range(parts + 1)]
    found = sum(_THREADS.map(scan, bounds[:-1], bounds[1:]), _NONE)
    found, lowest = _best(found, nearest, margins)
    return [(found.of(probe)[0], float(lowest[probe])) for probe in range(len(probes))]


def _scan(
    faces: CodedFaces,
    part: tuple[int, int],
    probes: NDArray[np.int8],
    scales: NDArray[np.float32],
    nearest: int,
    margins: NDArray[np.float32],
) -> _Candidates:
    """Return the candidates among the rows from the first of `part` to before the second, and some that are none."""
    step = max(FIRST_ROWS, PRODUCTS // len(probes))
    products = CodeProducts(probes, step)
    lowest = np.full(len(probes), -np.inf, np.float32)
    found, most, limits = _NONE, 0, _limits(faces, scales, lowest, step)
    start, end = part
    stop = min(start + FIRST_ROWS, end)
    while start < end:
        flat = products.of(faces.codes[start:stop])
        passed = np.flatnonzero(flat > limits[: len(flat)])
        rows, of = np.divmod(passed, len(probes))
        rows += start
        scores = flat[passed] * faces.scales[rows] * scales[of]
        above = scores >= lowest[of]
        found += _Candidates(rows[above], of[above], scores[above].astype(np.float32))
        if len(found.rows) > most and stop < end:
            found, lowest = _best(found, nearest, margins)
            limits = _limits(faces, scales, lowest, step)
            most = 2 * len(found.rows) + PENDING * len(probes)
        start, stop = stop, min(stop + step, end)
    return found


def _best(found: _Candidates, nearest: int, margins: NDArray[np.float32]) -> tuple[_Candidates, NDArray[np.float32]]:
    """Drop candidates that are more than their margin below the nearest, and return the limits."""
    lowest = np.full(len(margins), -np.inf, np.float32)
    for probe, margin in enumerate(margins):
        _, scores = found.of(probe)
        if len(scores) > nearest:
            lowest[probe] = np.partition(scores, -nearest)[-nearest] - margin
    kept = found.scores >= lowest[found.probes]
    return _Candidates(found.rows[kept], found.probes[kept], found.scores[kept]), lowest


def _limits(
    faces: CodedFaces, scales: NDArray[np.float32], lowest: NDArray[np.float32], rows: int
) -> NDArray[np.int32]:
    """Return products that a row must exceed to have a score of `lowest`, int32 (rows * probes), or (1) for one probe.

    A product with a smaller scale must be larger than this, so that some rows pass whose score is lower.
    """
    products = np.where(lowest > 0, np.floor(lowest / (scales * faces.largest_scale)) - 1, np.iinfo(np.int32).min)
    # A single limit is compared with all products as it is.
    return np.tile(products.astype(np.int32), rows if len(products) > 1 else 1)
