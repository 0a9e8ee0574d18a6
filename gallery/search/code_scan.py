"""Comparing probes with the codes of all faces, in one pass over memory."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gallery.search.code_comparison import CodeComparison
from gallery.search.quantisation import CodedFaces

PRODUCTS = 2**17
"""Dot products per block. With many probes they are stored, and those of a block fit in the processor's cache."""
FIRST_ROWS = 1024
"""Rows of the first block. It gives the thresholds for the other blocks; without them, every row is a candidate."""
GROWTH = 4
"""Each block has this many times the rows of the one before, because higher thresholds let fewer rows pass."""
PENDING = 256
"""Candidates per probe that a thread adds before it raises the thresholds again."""
# Kept for all searches: starting threads takes a tenth of a millisecond.
_THREADS = ThreadPoolExecutor(thread_name_prefix="scan")


@dataclass(slots=True, eq=False)
class _Candidates:
    """Rows that may be among the nearest to any probe, with the scores of their codes."""

    rows: NDArray[np.int64]
    probes: NDArray[np.int32]
    scores: NDArray[np.float32]

    def of(self, probe: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        chosen = self.probes == probe
        return self.rows[chosen], self.scores[chosen]

    def chosen(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> "_Candidates":
        return _Candidates(self.rows[which], self.probes[which], self.scores[which])

    def __add__(self, other: "_Candidates") -> "_Candidates":
        return _Candidates(
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.probes, other.probes]),
            np.concatenate([self.scores, other.scores]),
        )


_NONE = _Candidates(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))


def candidates(
    faces: CodedFaces,
    probes: NDArray[np.int8],
    scales: NDArray[np.float32],
    nearest: int,
    margins: NDArray[np.float32],
    threads: int = 1,
) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Return for each probe the rows that score at least its `nearest`-th best score minus its margin.

    Args:
        faces: at least one.
        probes: codes of the probes, int8 (probes, size).
        scales: their scales, float32 (probes).
        nearest: at least 1.
        margins: float32 (probes).
        threads: number of threads.

    Returns:
        Rows, int64, and their scores, float32, highest first. All rows if there are at most `nearest`.
    """
    rows = len(faces.codes)
    most = min(max(1, PRODUCTS // len(probes)), max(FIRST_ROWS, rows // (4 * threads)))
    scan = partial(_scan, faces, probes, scales, nearest, margins, most)
    first, *others = _blocks(rows, most)
    lowest = np.full(len(probes), -np.inf, np.float32)
    found, lowest = _best(scan(lowest, iter([first])), nearest, margins, lowest)
    if others:
        # Threads take the next block when they are free, so that none waits for one whose core is busy.
        blocks = iter(others)
        found = sum(_THREADS.map(lambda _: scan(lowest, blocks), range(min(threads, len(others)))), found)
        found, _ = _best(found, nearest, margins, lowest)
    found = found.chosen(np.argsort(-found.scores, kind="stable"))
    return [found.of(probe) for probe in range(len(probes))]


def _blocks(rows: int, most: int) -> list[tuple[int, int]]:
    """Divide the rows into blocks of growing size, at most `most` rows each, and return each block's start and end."""
    blocks, end, size = list[tuple[int, int]](), 0, min(FIRST_ROWS, most)
    while end < rows:
        start, end = end, min(end + size, rows)
        blocks.append((start, end))
        size = min(GROWTH * size, most)
    return blocks


def _scan(
    faces: CodedFaces,
    probes: NDArray[np.int8],
    scales: NDArray[np.float32],
    nearest: int,
    margins: NDArray[np.float32],
    block_rows: int,
    lowest: NDArray[np.float32],
    blocks: Iterator[tuple[int, int]],
) -> _Candidates:
    """Return the candidates in the blocks that this thread takes, possibly among other rows.

    Args:
        block_rows: maximum number of rows in a block.
        lowest: scores below which no row is a candidate, float32 (probes).
        blocks: the start and end of each. Threads share this iterator.
    """
    compared = CodeComparison(probes, block_rows)
    found, most = _NONE, 0
    for start, stop in blocks:
        rows, numbers, scores = compared.near(faces.codes[start:stop], faces.scales[start:stop], lowest / scales)
        found += _Candidates(rows + start, numbers, scores * scales[numbers])
        if len(found.rows) > most:
            found, lowest = _best(found, nearest, margins, lowest)
            most = 2 * len(found.rows) + PENDING * len(probes)
    return found


def _best(
    found: _Candidates, nearest: int, margins: NDArray[np.float32], lowest: NDArray[np.float32]
) -> tuple[_Candidates, NDArray[np.float32]]:
    """Raise `lowest` to the `nearest`-th best score minus the margin. Return rows that reach it, and its new value."""
    lowest = lowest.copy()
    for probe, margin in enumerate(margins):
        _, scores = found.of(probe)
        if len(scores) > nearest:
            lowest[probe] = max(lowest[probe], np.partition(scores, -nearest)[-nearest] - margin)
    return found.chosen(found.scores >= lowest[found.probes]), lowest
