"""Measure a detector on labelled faces: found, missed and additional faces."""

import csv
import json
import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.intervals import Share
from imaging.faces import Photo as Detected
from imaging.geometry import Box, area, intersection_over_union
from models.detection import PhotoDetector
from models.errors import ModelError

COLUMNS = ("file", "left", "top", "width", "height")
"""Required columns of boxes.csv. Other columns are groups."""

MIN_OVERLAP = 0.35
"""Minimum intersection over union for a found box to match a labelled one."""

SIZES = (20, 40, 80)
"""Borders between size classes of faces: side in pixels of the photo."""

SHARES = (2, 2.5, 3, 3.5, 4, 5, 6)
"""Borders between size classes of faces: side in percent of the photo's longer side."""


@dataclass(frozen=True, slots=True)
class LabelledFace:
    """A labelled face.

    Attributes:
        box: in pixels of the photo. A labelled nose tip is a box without an area.
        groups: values of the group columns, by their names.
    """

    box: Box
    groups: Mapping[str, str]

    @property
    def side(self) -> float:
        """Side of a square with the box's area."""
        return math.sqrt(area(self.box))

    def fit(self, found: Box) -> float:
        """How well a found box fits, 0 to 1. 0 if it does not match.

        The fit of a labelled box is the intersection over union. A nose tip matches every box that contains it, and the
        fit is better the closer it is to the box's centre.
        """
        if not area(self.box):
            left, top, right, bottom = found
            (x, y), halves = self.box[:2], ((right - left) / 2, (bottom - top) / 2)
            if not (left <= x < right and top <= y < bottom):
                return 0.0
            return 1 - max(abs(x - left - halves[0]) / halves[0], abs(y - top - halves[1]) / halves[1]) / 2
        overlap = intersection_over_union(self.box, found)
        return overlap if overlap >= MIN_OVERLAP else 0.0


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """A photo and all its labelled faces."""

    path: Path
    faces: tuple[LabelledFace, ...]


@dataclass(frozen=True, slots=True)
class DetectedPhoto:
    """The labels of a photo and the boxes that a detector found in it.

    Attributes:
        longer: the photo's longer side, in pixels.
    """

    labels: Sequence[LabelledFace]
    found: Sequence[Box]
    longer: int


@dataclass(frozen=True, slots=True)
class MeasuredDetection:
    """The measurements of a detector.

    Attributes:
        found: shares of labelled faces that were found: of all, of each size class and of each group. Classes without
            faces are left out.
        beyond: number of found faces that match no label.
        same_count: photos with as many found as labelled faces.
        right: photos in which every label is matched and no found face is left over.
        ms: mean time to find the faces in a photo, without decoding.
    """

    found: dict[str, Share]
    beyond: int
    same_count: Share
    right: Share
    ms: float


def read_photos(folder: Path) -> tuple[LabelledPhoto, ...]:
    """Read the labels in a folder of photos.

    The folder has either ``boxes.csv``, with the columns file, left, top, width and height and any number of group
    columns, or ``noses.json``, with a list of nose tips (x, y) for each photo.

    Raises:
        ModelError: the folder has neither file, or the file is not valid or lists no photo.
    """
    boxes, noses = folder / "boxes.csv", folder / "noses.json"
    faces: dict[str, list[LabelledFace]] = {}
    try:
        if boxes.is_file():
            with boxes.open(newline="", encoding="utf-8") as lines:
                for row in csv.DictReader(lines):
                    faces.setdefault(row["file"], []).append(_labelled_box(row))
        elif noses.is_file():
            for name, points in json.loads(noses.read_text("utf-8")).items():
                faces[name] = [LabelledFace((x, y, x, y), {}) for x, y in points]
        else:
            raise ModelError(f"{folder} has neither boxes.csv nor noses.json")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"the labels in {folder} are not valid: {error!r}") from error
    if not faces:
        raise ModelError(f"{folder} has no labelled photos")
    return tuple(LabelledPhoto(folder / name, tuple(each)) for name, each in faces.items())


def paired_boxes(labels: Sequence[LabelledFace], found: Sequence[Box]) -> dict[int, int]:
    """Pair the indices of labels and found boxes, each at most once, best fits first."""
    fits = [(label.fit(box), row, column) for row, label in enumerate(labels) for column, box in enumerate(found)]
    paired: dict[int, int] = {}
    for _, row, column in sorted((each for each in fits if each[0]), key=lambda each: -each[0]):
        if row not in paired and column not in paired.values():
            paired[row] = column
    return paired


def measure_detection(photos: Iterable[LabelledPhoto], detect: PhotoDetector) -> MeasuredDetection:
    """Find the faces in each photo as the service does, and compare them with the labels.

    Raises:
        ModelError: a photo cannot be read, or the service would refuse it.
    """
    looks, seconds = [], 0.0
    for photo in photos:
        try:
            detection = detect.one(photo.path.read_bytes(), ())
        except OSError as error:
            raise ModelError(f"the photo {photo.path} cannot be read: {error}") from error
        [found] = detection.photos
        if not isinstance(found, Detected):
            raise ModelError(f"the photo {photo.path} is refused: {found.message}")
        looks.append(DetectedPhoto(photo.faces, [face.box for face in found.faces], max(found.width, found.height)))
        seconds += detection.steps["detect"]
    return detection_figures(looks, 1000 * seconds / max(len(looks), 1))


def detection_figures(looks: Sequence[DetectedPhoto], ms: float) -> MeasuredDetection:
    """Count the matches in photos. `ms` is the mean time per photo."""
    classes: dict[str, list[bool]] = {name: [] for name in _class_names()}
    beyond = same_count = right = 0
    for look in looks:
        paired = paired_boxes(look.labels, look.found)
        for index, label in enumerate(look.labels):
            for name in _classes(label, look.longer):
                classes.setdefault(name, []).append(index in paired)
        beyond += len(look.found) - len(paired)
        same_count += len(look.found) == len(look.labels)
        right += len(look.found) == len(look.labels) == len(paired)
    shares = {name: Share(sum(found), len(found)) for name, found in classes.items() if found}
    return MeasuredDetection(shares, beyond, Share(same_count, len(looks)), Share(right, len(looks)), ms)


def _class_names() -> list[str]:
    """The size classes, in the order of the table."""
    return [
        "all",
        *(_class(border, SIZES, "px") for border in (0, *SIZES)),
        *(_class(border, SHARES, "% of the photo") for border in (0, *SHARES)),
    ]


def _classes(label: LabelledFace, longer: int) -> Iterator[str]:
    """The classes of a face."""
    yield "all"
    if label.side:
        yield _class(label.side, SIZES, "px")
        yield _class(100 * label.side / longer, SHARES, "% of the photo")
    yield from (f"{group} {value}" for group, value in label.groups.items())


def _class(value: float, borders: Sequence[float], unit: str) -> str:
    above = bisect_right(borders, value)
    if above == len(borders):
        return f"{borders[-1]} {unit} and more"
    return f"{borders[above - 1]} to {borders[above]} {unit}" if above else f"below {borders[0]} {unit}"


def _labelled_box(row: Mapping[str, str]) -> LabelledFace:
    left, top, width, height = (float(row[name]) for name in ("left", "top", "width", "height"))
    if not (width > 0 and height > 0):
        raise ValueError(f"a box of {row['file']} has no area")
    return LabelledFace((left, top, left + width, top + height), {k: v for k, v in row.items() if k not in COLUMNS})
