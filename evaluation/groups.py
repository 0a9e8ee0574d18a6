"""False match rates by group: of pairs within a group and of pairs between two groups.

Every photo counts as a different person, so all pairs are impostor pairs. If several photos show the same person, the
rates are too high and must be read as upper bounds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.answers import Answers
from evaluation.bootstrap import draws
from evaluation.comparisons import unit_length
from evaluation.figures import Plan
from evaluation.intervals import Estimate, percentile_interval, without_errors
from evaluation.labelled import check_number_of_pairs, csv_rows
from models.errors import ModelError

AGES = ((0, "0-17"), (18, "18-29"), (30, "30-44"), (45, "45-59"), (60, "60+"))
"""Lowest age and name of each age group."""
MANY_NUMBERS = 10
"""A column with more distinct integers than this is grouped by `AGES`. In other columns, each value is a group."""
MAX_GROUPS = 20
FILE = "file"


@dataclass(frozen=True, slots=True, eq=False)
class Grouped:
    """Photos of different people and their groups.

    Attributes:
        columns: by column name, the group of each photo.
    """

    photos: tuple[Path, ...]
    columns: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class GroupRate:
    """The false match rate of pairs between two groups, which may be the same group.

    Attributes:
        fmr: None if there is no such pair with a face in both photos.
    """

    groups: tuple[str, str]
    pairs: int
    false_matches: int
    fmr: Estimate | None


@dataclass(frozen=True, slots=True, eq=False)
class GroupColumn:
    """The measurements of a column.

    Attributes:
        faces: number of photos with a face, by group.
        rates: within each group, then between every two groups.
    """

    faces: Mapping[str, int]
    rates: tuple[GroupRate, ...]


def read_groups(file: Path) -> Grouped:
    """Read a CSV file with a header ``file,COLUMN,...`` and one line per photo. Paths are relative to the file.

    Raises:
        ModelError: the file cannot be read, a line does not match the header, a photo is missing or listed twice, or a
            column has too few or too many groups.
    """
    header, *rows = [row for row in csv_rows(file, "groups") if row] or [[]]
    names = header[1:]
    if header[:1] != [FILE] or not names or not all(names) or len({*names}) < len(names):
        raise ModelError(f"{file} needs a header: {FILE}, then a unique name for each column of groups")
    for row in rows:
        if len(row) != len(header) or not all(row):
            raise ModelError(f"{file}: expected {len(header)} values, none of them empty, in the line {','.join(row)}")
    photos = tuple(file.parent / row[0] for row in rows)
    if missing := next((photo for photo in photos if not photo.is_file()), None):
        raise ModelError(f"{file} lists a photo that is missing: {missing}")
    if len({*photos}) < len(photos):
        raise ModelError(f"{file} lists a photo twice, but every photo must show a different person")
    check_number_of_pairs(file, len(photos) * (len(photos) - 1) // 2)
    columns = {name: _groups([row[index] for row in rows]) for index, name in enumerate(names, start=1)}
    for name, groups in columns.items():
        if not 2 <= (count := len({*groups})) <= MAX_GROUPS:
            raise ModelError(f"{file}: the column {name} has {count} groups, but must have 2 to {MAX_GROUPS}")
    return Grouped(photos, columns)


def _groups(values: list[str]) -> tuple[str, ...]:
    if not all(value.isdecimal() for value in values) or len({*values}) <= MANY_NUMBERS:
        return tuple(values)
    return tuple(next(name for first, name in reversed(AGES) if int(value) >= first) for value in values)


def measure_groups(grouped: Grouped, embeddings: Answers, threshold: float, plan: Plan) -> dict[str, GroupColumn]:
    """Measure the false match rates at `threshold`, by column.

    The bootstrap draws photos. A pair counts as often as the product of its photos' counts, and copies of a photo are
    not compared (Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 2007). A rate without any false match
    is bounded by the rule of three, as if the pairs were independent.

    Args:
        embeddings: (photos, size), NaN for photos without a face.
    """
    found = ~np.isnan(embeddings[:, 0])
    unit = unit_length(embeddings[found])
    matches = (unit @ unit.T >= threshold).astype(np.float32)
    np.fill_diagonal(matches, 0)
    return {
        column: _column(matches, sorted({*groups}), np.array(groups)[found], plan, f"bootstrap of {column}")
        for column, groups in grouped.columns.items()
    }


def _column(
    matches: NDArray[np.float32], names: Sequence[str], groups: NDArray[np.str_], plan: Plan, what: str
) -> GroupColumn:
    members = np.array([groups == name for name in names], np.float32).T
    pairs, false_matches = _counts(matches, members)
    drawn = plan.track(list(draws(len(groups), plan.replicates, plan.seed)), what)
    replicates = (_counts(matches, members * each[:, None].astype(np.float32)) for each in drawn)
    spread = np.array([hits / np.where(trials, trials, np.nan) for trials, hits in replicates])

    def rate(a: int, b: int) -> GroupRate:
        trials, hits = round(pairs[a, b]), round(false_matches[a, b])
        fmr = _estimate(hits / trials, spread[:, a, b], trials) if trials else None
        return GroupRate((names[a], names[b]), trials, hits, fmr)

    indices = range(len(names))
    both = [*((index, index) for index in indices), *combinations(indices, 2)]
    faces = {name: int(members[:, index].sum()) for index, name in enumerate(names)}
    return GroupColumn(faces, tuple(rate(a, b) for a, b in both))


def _counts(
    matches: NDArray[np.float32], members: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Count the pairs and the false matches within and between groups, (groups, groups) each.

    Args:
        matches: (photos, photos), 1 if two photos match, 0 on the diagonal.
        members: (photos, groups), how often each photo counts in each group.
    """
    false_matches = (members.T @ (matches @ members)).astype(np.float64)
    sizes = members.sum(axis=0, dtype=np.float64)
    pairs = np.outer(sizes, sizes)
    # Within a group every pair is counted twice, and a photo with itself is not a pair.
    within = np.diag_indices(len(sizes))
    pairs[within] = (pairs[within] - np.square(members, dtype=np.float64).sum(axis=0)) / 2
    false_matches[within] /= 2
    return pairs, false_matches


def _estimate(value: float, spread: NDArray[np.float64], trials: int) -> Estimate:
    """The rate with its interval. A replicate may have no pair between small groups."""
    known = spread[~np.isnan(spread)]
    return without_errors(percentile_interval(value, known) if len(known) else Estimate(value, 0.0, 1.0), trials)
