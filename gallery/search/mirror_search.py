"""Exact search in a mirror.

Codes of eight bits per number are compared with the probe. The few faces that can be among the nearest are then
compared using their float32 embeddings. The error of the codes is bounded, so the result is exact. An index would miss
some faces. Up to a million faces, this search is also faster than LanceDB, which has to read its index.
"""

import numpy as np
from numpy.typing import NDArray

from gallery.records import Hit
from gallery.search.code_scan import candidates
from gallery.search.mapped_column import MirrorFileError
from gallery.search.mirror_files import MirrorFiles
from gallery.search.quantisation import most_apart, quantised
from gallery.unit_vectors import clipped


def best_subjects(
    files: MirrorFiles, probes: NDArray[np.float32], count: int, threads: int = 1
) -> list[list[Hit]] | None:
    """Return for each probe the `count` most similar subjects by their most similar face, best first.

    Returns None if another process moved rows meanwhile. Refresh the mirror and repeat the search in that case.

    Args:
        files: the files of a mirror.
        probes: float32 (probes, size) of length 1.
        count: at least 1.
        threads: threads of the search.
    """
    if (moves := files.moves) % 2:
        return None
    try:
        hits = _best(files, probes, count, threads)
    except (MirrorFileError, ValueError):
        # A record that another process is moving may point anywhere.
        if files.moves == moves:
            raise
        return None
    return hits if files.moves == moves else None


def _best(files: MirrorFiles, probes: NDArray[np.float32], count: int, threads: int) -> list[list[Hit]]:
    found: list[list[Hit]] = [[] for _ in probes]
    faces = len(files)
    if not faces:
        return found
    coded, (codes, scales, errors) = files.codes(faces), quantised(probes)
    margins = most_apart(files.error, errors)
    # Most subjects have few faces. Widen the search until it contains enough subjects.
    nearest, open_probes = 4 * count, np.arange(len(probes))
    while len(open_probes):
        asked = codes[open_probes], scales[open_probes], nearest, 2 * margins[open_probes]
        near = candidates(coded, *asked, threads)
        for probe, (rows, scores) in zip(open_probes.tolist(), near, strict=True):
            # Each row is read from a file. If the first faces are of different subjects, few rows are enough.
            for enough in (count, nearest):
                best = _rescored(files, rows, scores, probes[probe], enough, margins[probe])
                found[probe] = _hits(files, *best, count)
                if len(found[probe]) == count:
                    break
        unfinished = [each for each in open_probes.tolist() if len(found[each]) < count]
        open_probes = np.array(unfinished if nearest < faces else [], np.int64)
        nearest *= 4
    return found


def _rescored(
    files: MirrorFiles,
    rows: NDArray[np.int64],
    scores: NDArray[np.float32],
    probe: NDArray[np.float32],
    nearest: int,
    margin: np.float32,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return at least the `nearest` most similar faces and their cosine similarities, best first.

    Args:
        rows, scores: the candidates, int64 and float32, highest score first.
        probe: float32 (size) of length 1.
        margin: largest difference between the score of a face and its cosine similarity.

    Returns:
        Rows, int64, and cosines, float32. No other face is more similar than the last of these.
    """
    cosines = files.vectors(rows[:nearest]) @ probe
    # Other candidates can be among the nearest only if their cosine may be at least the lowest of these.
    lowest = cosines.min()
    rows = rows[: max(nearest, np.count_nonzero(scores >= lowest - margin))]
    cosines = np.concatenate([cosines, files.vectors(rows[nearest:]) @ probe])
    order = np.argsort(-cosines, kind="stable")
    order = order[cosines[order] >= lowest]
    return rows[order], cosines[order]


def _hits(files: MirrorFiles, rows: NDArray[np.int64], cosines: NDArray[np.float32], count: int) -> list[Hit]:
    """Return the best subjects of these faces."""
    best: dict[str, Hit] = {}
    for row, cosine in zip(rows.tolist(), cosines.tolist(), strict=True):
        if len(best) == count:
            break
        subject = files.subject(row)
        best.setdefault(subject, Hit(subject, files.face_id(row), clipped(cosine)))
    return list(best.values())
