"""What holds for the boxes that a detector keeps, in whatever order and place they come."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.detectors.mtcnn import _areas, _suppressed_within, non_maximum_suppression
from models.detectors.retinaface import RetinaFace

Boxes = NDArray[np.float32]
Suppression = Callable[[Boxes, float], NDArray[np.intp]]


@st.composite
def boxes(draw: st.DrawFn) -> Boxes:
    """Boxes that often overlap, with scores of which no two are the same, in no order."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count, places = draw(st.integers(0, 40)), draw(st.integers(1, 120))
    corners, sides = rng.integers(0, places, (count, 2)), rng.integers(1, 40, (count, 2))
    return np.column_stack([corners, corners + sides, (rng.permutation(count) + 1) / (count + 1)]).astype(np.float32)


OVERLAPS = st.sampled_from([0.1, 0.3, 0.4, 0.5, 0.7, 0.9])
SEEDS = st.integers(0, 2**32 - 1)
BOTH = pytest.mark.parametrize("suppress", [non_maximum_suppression, _suppressed_within])
brief = settings(max_examples=40)


def over_union(some: Boxes, others: Boxes) -> NDArray[np.float64]:
    shared, areas, other_areas = (part.astype(np.float64) for part in _areas(some, others, 0))
    return shared / (areas + other_areas - shared)


@brief
@given(boxes(), boxes())
def test_the_overlap_is_a_share_and_the_same_both_ways(some: Boxes, others: Boxes) -> None:
    shares = over_union(some, others)
    assert ((shares >= 0) & (shares <= 1)).all()
    assert np.array_equal(shares, over_union(others, some).T)
    assert (np.diagonal(over_union(some, some)) == 1).all()


@BOTH
@brief
@given(found=boxes(), overlap=OVERLAPS, seed=SEEDS)
def test_the_order_of_the_boxes_does_not_matter(suppress: Suppression, found: Boxes, overlap: float, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(found))
    assert order[suppress(found[order], overlap)].tolist() == suppress(found, overlap).tolist()


@BOTH
@brief
@given(found=boxes(), overlap=OVERLAPS, right=st.integers(-500, 500), down=st.integers(-500, 500))
def test_the_place_of_all_boxes_does_not_matter(
    suppress: Suppression, found: Boxes, overlap: float, right: int, down: int
) -> None:
    moved = found + np.array([right, down, right, down, 0], np.float32)
    assert suppress(moved, overlap).tolist() == suppress(found, overlap).tolist()


@BOTH
@brief
@given(found=boxes(), overlap=OVERLAPS)
def test_what_was_kept_is_kept_again_best_first(suppress: Suppression, found: Boxes, overlap: float) -> None:
    kept = found[suppress(found, overlap)]
    assert suppress(kept, overlap).tolist() == list(range(len(kept)))
    assert kept[:, 4].tolist() == sorted(kept[:, 4], reverse=True)
    if len(found):
        assert kept[0, 4] == found[:, 4].max()


@brief
@given(found=boxes(), overlap=OVERLAPS)
def test_retinaface_keeps_likely_faces_that_overlap_little(found: Boxes, overlap: float) -> None:
    likely = found[found[:, 4] >= 0.5]
    # The two suppressions round differently: boxes that overlap by just as much as they may are either's to keep.
    assume((np.abs(over_union(likely, likely) - overlap) > 1e-6).all())
    landmarks = np.zeros((len(found), 5, 2), np.float32)
    detector = RetinaFace(lambda _: (found[:, :4], found[:, 4], landmarks), least_score=0.5, overlap=overlap)
    faces = detector.detect(np.zeros((160, 160, 3), np.uint8))
    scores = [face.score for face in faces]
    assert scores == sorted(scores, reverse=True)
    assert len(faces) == len(non_maximum_suppression(likely, overlap))
    kept = np.array([[*face.box, face.score] for face in faces], np.float32).reshape(-1, 5)
    assert {tuple(row) for row in kept.tolist()} <= {tuple(row) for row in likely.tolist()}
    shares = over_union(kept, kept)
    np.fill_diagonal(shares, 0)
    assert (shares <= overlap + 1e-6).all()
