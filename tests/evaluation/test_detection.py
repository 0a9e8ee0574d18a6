"""Matching found with labelled faces, and reading labels."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.detection import (
    MIN_OVERLAP,
    DetectedPhoto,
    LabelledFace,
    detection_figures,
    measure_detection,
    paired_boxes,
    read_photos,
)
from evaluation.intervals import Share
from imaging.decode import Limits
from imaging.faces import Face
from imaging.geometry import Box
from models.detection import Detector, PhotoDetector
from models.errors import ModelError


def box(left: float, top: float = 0, side: float = 100) -> Box:
    return (left, top, left + side, top + side)


def label(at: Box, **groups: str) -> LabelledFace:
    return LabelledFace(at, groups)


def nose(x: float, y: float) -> LabelledFace:
    return label((x, y, x, y))


boxes = st.builds(box, st.integers(0, 300), st.integers(0, 300), st.integers(20, 120))


@given(st.lists(boxes, max_size=6, unique=True), st.lists(boxes, max_size=6))
def test_each_label_is_paired_with_one_box_that_overlaps(places: list[Box], found: list[Box]) -> None:
    labels = [label(each) for each in places]
    assert paired_boxes(labels, places) == {index: index for index in range(len(labels))}
    paired = paired_boxes(labels, found)
    assert len(set(paired.values())) == len(paired)
    assert all(labels[row].fit(found[column]) >= MIN_OVERLAP for row, column in paired.items())
    left = [column for column in range(len(found)) if column not in paired.values()]
    missed = [row for row in range(len(labels)) if row not in paired]
    assert not any(labels[row].fit(found[column]) for row in missed for column in left)


def test_the_better_box_is_matched_and_the_other_left_over() -> None:
    assert paired_boxes([label(box(0))], [box(20), box(10)]) == {0: 1}
    # Boxes that share half of their width have an overlap of a third, which is too small.
    assert paired_boxes([label(box(0))], [box(50)]) == {}


def test_a_nose_is_found_by_the_box_that_holds_it_and_has_no_size() -> None:
    assert paired_boxes([nose(50, 50), nose(130, 50)], [box(80), box(0)]) == {0: 1, 1: 0}
    assert paired_boxes([nose(100, 50)], [box(0)]) == {}
    assert detection_figures([DetectedPhoto([nose(5, 5)], [box(0)], 100)], 0).found == {"all": Share(1, 1)}


def test_faces_are_counted_by_size_and_group() -> None:
    small, large = label(box(0, side=30), mask="worn"), label(box(200), mask="none")
    photos = [
        DetectedPhoto([small, large], [box(200), box(400)], 1000),
        DetectedPhoto([small], [box(0, side=30)], 1000),
    ]
    found = detection_figures(photos, 5)
    assert found.found == {
        "all": Share(2, 3),
        "20 to 40 px": Share(1, 2),
        "80 px and more": Share(1, 1),
        "3 to 3.5 % of the photo": Share(1, 2),
        "6 % of the photo and more": Share(1, 1),
        "mask worn": Share(1, 2),
        "mask none": Share(1, 1),
    }
    assert (found.beyond, found.same_count, found.right, found.ms) == (1, Share(2, 2), Share(1, 2), 5)


class OneFace(Detector):
    def detect(self, pixels: np.ndarray) -> list[Face]:
        return [Face(box(10), 1.0, np.zeros((5, 2), dtype=np.float32))]


def test_labelled_boxes_are_read_and_their_photos_looked_at_and_timed(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((120, 240, 3), dtype=np.uint8))
    lines = ("file,left,top,width,height,mask", "a.png,10,0,100,100,worn", "a.png,150,0,50,50.5,none")
    (tmp_path / "boxes.csv").write_text("\n".join(lines), "utf-8")
    [photo] = read_photos(tmp_path)
    assert photo.path == tmp_path / "a.png"
    assert photo.faces[1] == label((150, 0, 200, 50.5), mask="none")
    found = measure_detection([photo], PhotoDetector(OneFace(), Limits()))
    assert (found.found["all"], found.found["mask none"]) == (Share(1, 2), Share(0, 1))
    assert found.ms > 0


def test_noses_are_read_and_a_photo_may_have_none(tmp_path: Path) -> None:
    (tmp_path / "noses.json").write_text(json.dumps({"a.jpg": [[3, 4]], "b.jpg": []}), "utf-8")
    first, second = read_photos(tmp_path)
    assert (first.faces, second.faces) == ((nose(3, 4),), ())


HEADER = "file,left,top,width,height\n"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("other.csv", "", "has neither boxes.csv nor noses.json"),
        ("boxes.csv", HEADER, "has no labelled photo"),
        ("boxes.csv", "file,left,top,width\na,1,1,1\n", "are not valid: KeyError"),
        ("boxes.csv", f"{HEADER}a,1,1,0,1\n", "a box of a has no area"),
        ("boxes.csv", f"{HEADER}a,1\n", "are not valid: TypeError"),
        ("noses.json", "{", "are not valid: JSONDecodeError"),
        ("boxes.csv", f"{HEADER}a,1,1,1,1\n", "a cannot be read"),
        ("boxes.csv", f"{HEADER}boxes.csv,1,1,1,1\n", r"boxes\.csv is refused"),
    ],
)
def test_labels_and_photos_that_cannot_be_read_are_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(ModelError, match=message):
        measure_detection(read_photos(tmp_path), PhotoDetector(OneFace(), Limits()))
