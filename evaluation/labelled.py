"""Photos of known subjects and the pairs of them to compare."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imaging.formats import SUFFIXES
from models.errors import ModelError

MAX_PAIRS = 5_000_000
"""Maximum number of pairs, enough for all pairs of 3,162 photos. With more, the bootstrap would take hours."""


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Photos of known subjects.

    Attributes:
        photos: paths of the photos.
        subjects: int64 (photos), index of each photo's subject.
        pairs: int64 (pairs, 2), indices of the photos to compare.
        whole: whether all pairs of the photos are compared, which identification needs. True for a folder.
    """

    photos: tuple[Path, ...]
    subjects: NDArray[np.int64]
    pairs: NDArray[np.int64]
    whole: bool

    @property
    def genuine(self) -> NDArray[np.bool_]:
        """Whether both photos of a pair are of the same subject, bool (pairs)."""
        subjects = self.subjects[self.pairs]
        return np.equal(subjects[:, 0], subjects[:, 1])


def read_labelled(source: Path) -> Labelled:
    """Read labelled photos from a folder with one folder per subject, or from a CSV file of pairs.

    All pairs of the photos in a folder are compared. Each line of a CSV file has two paths, relative to the file, and 1
    for the same person or 0. Photos linked by genuine pairs have the same subject.

    Raises:
        ModelError: there are no genuine or no impostor pairs, there are more than `MAX_PAIRS`, or a line is not valid
            or contradicts others.
    """
    found = _folder(source) if source.is_dir() else _csv(source)
    for kind, there in (("genuine", found.genuine.any()), ("impostor", not found.genuine.all())):
        if not there:
            raise ModelError(f"{source} has no {kind} pair")
    return found


def photos_below(folder: Path) -> list[Path]:
    """Return the photos in `folder` and its subfolders, recognised by suffix, in alphabetical order."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def photos_in(folder: Path) -> list[Path]:
    """Return the photos in the subfolders of `folder`, in alphabetical order."""
    return [path for path in photos_below(folder) if path.parent != folder]


def csv_rows(file: Path, content: str) -> list[list[str]]:
    """Read the values of each line of a CSV file, without surrounding spaces.

    Args:
        content: what the error message calls the content of the file.

    Raises:
        ModelError: the file cannot be read.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            return [[value.strip() for value in row] for row in csv.reader(lines)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ModelError(f"the {content} cannot be read: {file}: {error}") from error


def check_number_of_pairs(source: Path, pairs: int) -> None:
    """Raise `ModelError` if the bootstrap would take too long."""
    if pairs > MAX_PAIRS:
        raise ModelError(
            f"{source} has {pairs:,} pairs; the maximum is {MAX_PAIRS:,}: use fewer photos, or a CSV file of pairs"
        )


def _folder(folder: Path) -> Labelled:
    photos = photos_in(folder)
    check_number_of_pairs(folder, len(photos) * (len(photos) - 1) // 2)
    _, subjects = np.unique([photo.parent.name for photo in photos], return_inverse=True)
    pairs = np.stack(np.triu_indices(len(photos), 1), axis=1)
    return Labelled(tuple(photos), subjects.astype(np.int64), pairs, whole=True)


def _csv(file: Path) -> Labelled:
    rows = list[tuple[Path, Path, bool]]()
    for number, row in enumerate(csv_rows(file, "pairs"), start=1):
        if len(row) != 3 or row[2] not in ("0", "1"):
            raise ModelError(f"{file}, line {number}: expected two paths and 0 or 1")
        rows.append((file.parent / row[0], file.parent / row[1], row[2] == "1"))
    check_number_of_pairs(file, len(rows))
    photos = sorted({photo for first, second, _ in rows for photo in (first, second)})
    place = {photo: number for number, photo in enumerate(photos)}
    pairs = np.array([(place[first], place[second]) for first, second, _ in rows], dtype=np.int64).reshape(-1, 2)
    genuine = np.array([same for _, _, same in rows], dtype=np.bool_)
    subjects = np.arange(len(photos))
    for one, other in pairs[genuine]:
        if subjects[one] != subjects[other]:
            subjects[subjects == subjects[other]] = subjects[one]
    contradictory = ~genuine & np.equal(subjects[pairs[:, 0]], subjects[pairs[:, 1]])
    if contradictory.any():
        first, second, _ = rows[int(contradictory.argmax())]
        raise ModelError(
            f"{file}: {first.name} and {second.name} are different people, but the same person according to other lines"
        )
    _, subjects = np.unique(subjects, return_inverse=True)
    return Labelled(tuple(photos), subjects.astype(np.int64), pairs, whole=False)
