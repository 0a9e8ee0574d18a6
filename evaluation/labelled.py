"""Measuring an embedder, with its detector and its crop, on labelled photos."""

import csv
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.verification import Scores
from imaging.crops import CropSpec
from imaging.faces import Photo
from models.detection import PhotoDetector
from models.engines import CropNetwork
from models.errors import ModelError

Pair = tuple[Path, Path, bool]
"""Two photos, and whether they show one person."""


@dataclass(frozen=True, slots=True)
class PairScores:
    """Cosine similarities of labelled pairs.

    Attributes:
        genuine, impostor: scores of the pairs whose photos both gave a face.
        photos: how many photos were looked at.
        faceless: those that no face was found in, or that could not be decoded.
    """

    genuine: Scores
    impostor: Scores
    photos: int
    faceless: tuple[Path, ...]


def read_pairs(source: Path) -> list[Pair]:
    """Labelled pairs from a folder with one folder a person, or from a CSV file.

    A folder gives every pair of photos in it. A CSV file has lines of two paths, relative to the file,
    and 1 for the same person or 0.

    Raises:
        ModelError: there are no pairs, or a line cannot be understood.
    """
    pairs = _folder_pairs(source) if source.is_dir() else _csv_pairs(source)
    for kind in (True, False):
        if not any(same is kind for _, _, same in pairs):
            raise ModelError(f"{source} has no {'genuine' if kind else 'impostor'} pair")
    return pairs


def score_pairs(pairs: Sequence[Pair], detect: PhotoDetector, embed: CropNetwork, crop: CropSpec) -> PairScores:
    """Embed the best face of every photo and compare the pairs by cosine similarity."""
    photos = sorted({photo for first, second, _ in pairs for photo in (first, second)})
    embeddings = {
        photo: embedding for photo in photos if (embedding := _embedding(photo, detect, embed, crop)) is not None
    }
    scores: dict[bool, list[float]] = {True: [], False: []}
    for first, second, same in pairs:
        if first in embeddings and second in embeddings:
            scores[same].append(float(embeddings[first] @ embeddings[second]))
    if not (scores[True] and scores[False]):
        raise ModelError("too few faces were found to form genuine and impostor pairs")
    faceless = tuple(photo for photo in photos if photo not in embeddings)
    return PairScores(np.array(scores[True]), np.array(scores[False]), len(photos), faceless)


def _embedding(photo: Path, detect: PhotoDetector, embed: CropNetwork, crop: CropSpec) -> NDArray[np.float32] | None:
    try:
        data = photo.read_bytes()
    except OSError as error:
        raise ModelError(f"the photo {photo} cannot be read: {error}") from error
    detection = detect([data], [crop])
    found = detection.photos[0]
    if not isinstance(found, Photo) or not found.faces:
        return None
    return np.asarray(embed(detection.crops[crop][:1])[0], dtype=np.float32)


def _folder_pairs(folder: Path) -> list[Pair]:
    labelled = [(photo, photo.parent.name) for photo in sorted(_photos(folder))]
    return [(a, b, x == y) for (a, x), (b, y) in itertools.combinations(labelled, 2)]


def _photos(folder: Path) -> Iterable[Path]:
    endings = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
    return (path for path in folder.rglob("*") if path.suffix.lower() in endings and path.parent != folder)


def _csv_pairs(file: Path) -> list[Pair]:
    pairs = []
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            for number, row in enumerate(csv.reader(lines), start=1):
                if len(row) != 3 or row[2].strip() not in ("0", "1"):
                    raise ModelError(f"{file}, line {number}: expected two paths and 0 or 1")
                pairs.append((file.parent / row[0].strip(), file.parent / row[1].strip(), row[2].strip() == "1"))
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"the pairs cannot be read: {file}: {error}") from error
    return pairs
