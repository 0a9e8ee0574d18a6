"""False matches by group: how often two people of a group, or of two groups, are taken for one.

Every photo counts as another person, so all pairs are impostor pairs. If a person is on several photos, the measured
rates are too high: they are upper bounds.
"""

import csv
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
from evaluation.labelled import check_number_of_pairs
from models.errors import ModelError

AGES = ((0, "0-17"), (18, "18-29"), (30, "30-44"), (45, "45-59"), (60, "60+"))
"""The first year of each age group."""
MANY_NUMBERS = 10
"""A column with more different numbers is grouped by `AGES`; in others each value is a group."""
MOST_GROUPS = 20
FILE = "file"


@dataclass(frozen=True, slots=True, eq=False)
class Grouped:
    """Photos of different people, and the groups that each belongs to.

    Attributes:
        columns: the group of every photo, by the name of the column.
    """

    photos: tuple[Path, ...]
    columns: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class GroupRate:
    """The false match rate of pairs whose photos are of these two groups, which may be the same.

    Attributes:
        fmr: None where no such pair has two faces.
    """

    groups: tuple[str, str]
    pairs: int
    false_matches: int
    fmr: Estimate | None


@dataclass(frozen=True, slots=True, eq=False)
class GroupColumn:
    """What was measured of a column.

    Attributes:
        faces: the number of photos with a face of each group.
        rates: of each group, then of each two groups.
    """

    faces: Mapping[str, int]
    rates: tuple[GroupRate, ...]


def read_groups(file: Path) -> Grouped:
    """Read a CSV file with a header ``file,COLUMN,...`` and one line per photo; paths are relative to the file.

    Raises:
        ModelError: the file cannot be read, a line does not fit the header, a photo is missing or named twice, or a
            column has too few or too many groups.
    """
    header, *rows = _lines(file)
    names = header[1:]
    if header[:1] != [FILE] or not names or not all(names) or len({*names}) < len(names):
        raise ModelError(f"{file} needs a header: {FILE}, and then a different name for each column of groups")
    for row in rows:
        if len(row) != len(header) or not all(row):
            raise ModelError(f"{file}: expected {len(header)} values, none of them empty: {','.join(row)}")
    photos = tuple(file.parent / row[0] for row in rows)
    if missing := next((photo for photo in photos if not photo.is_file()), None):
        raise ModelError(f"{file} names a photo that is missing: {missing}")
    if len({*photos}) < len(photos):
        raise ModelError(f"{file} names a photo twice, but every photo has to be of another person")
    check_number_of_pairs(file, len(photos) * (len(photos) - 1) // 2)
    columns = {name: _groups([row[place] for row in rows]) for place, name in enumerate(names, start=1)}
    for name, groups in columns.items():
        if not 2 <= (count := len({*groups})) <= MOST_GROUPS:
            raise ModelError(f"{file}: the column {name} has {count} groups, and needs 2 to {MOST_GROUPS}")
    return Grouped(photos, columns)


def _lines(file: Path) -> list[list[str]]:
    """The values of each line that is not empty; without any, one line without values."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            return [[value.strip() for value in row] for row in csv.reader(lines) if row] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ModelError(f"the groups cannot be read: {file}: {error}") from error


def _groups(values: list[str]) -> tuple[str, ...]:
    if not all(value.isdecimal() for value in values) or len({*values}) <= MANY_NUMBERS:
        return tuple(values)
    return tuple(next(name for first, name in reversed(AGES) if int(value) >= first) for value in values)


def measure_groups(grouped: Grouped, embeddings: Answers, threshold: float, plan: Plan) -> dict[str, GroupColumn]:
    """Measure the false match rates at `threshold`, by column.

    The bootstrap draws photos: a pair counts as often as the product of its photos' draws, and copies of a photo are
    not compared (Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 2007). The rule of three bounds a
    rate without any false match from above, as if the pairs were independent.

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

    places = range(len(names))
    both = [*((place, place) for place in places), *combinations(places, 2)]
    faces = {name: int(members[:, place].sum()) for place, name in enumerate(names)}
    return GroupColumn(faces, tuple(rate(a, b) for a, b in both))


def _counts(
    matches: NDArray[np.float32], members: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The pairs and the false matches of each two groups, (groups, groups) each.

    Args:
        matches: (photos, photos), 1 where two photos match; 0 on the diagonal.
        members: (photos, groups), how often each photo counts in each group.
    """
    false_matches = (members.T @ (matches @ members)).astype(np.float64)
    sizes = members.sum(axis=0, dtype=np.float64)
    pairs = np.outer(sizes, sizes)
    # Within a group every pair is there twice, and a photo with itself is no pair.
    within = np.diag_indices(len(sizes))
    pairs[within] = (pairs[within] - np.square(members, dtype=np.float64).sum(axis=0)) / 2
    false_matches[within] /= 2
    return pairs, false_matches


def _estimate(value: float, spread: NDArray[np.float64], trials: int) -> Estimate:
    """The rate with its interval; a replicate may draw no pair of small groups."""
    known = spread[~np.isnan(spread)]
    return without_errors(percentile_interval(value, known) if len(known) else Estimate(value, 0.0, 1.0), trials)
