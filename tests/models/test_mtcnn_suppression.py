"""MTCNN's non-maximum suppression, which compares boxes in blocks, against the plain greedy one."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.detectors.mtcnn import BLOCK, _suppressed_within, non_maximum_suppression

Boxes = NDArray[np.float32]
Box = list[float]
Suppression = Callable[[Boxes, float], NDArray[np.intp]]

# Whole numbers and binary fractions: both sides count exactly, so that equal shares are equal on both.
OVERLAPS = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])


@st.composite
def boxes(draw: st.DrawFn) -> Boxes:
    """Boxes of few places, sizes and scores, so that many are the same, touch or tie; often more than one block."""
    count = draw(st.one_of(st.integers(0, 12), st.integers(BLOCK - 1, BLOCK + 80)))
    places, sizes, scores = draw(st.integers(1, 400)), draw(st.integers(1, 12)), draw(st.integers(1, 500))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    corners = rng.integers(0, places, (count, 2))
    sides = rng.integers(0, sizes + 1, (count, 2))
    return np.column_stack([corners, corners + sides, rng.integers(0, scores, count)]).astype(np.float32)


def over_union(first: Box, second: Box, overlap: float) -> bool:
    shared, areas = measured(first, second, edge=0)
    return shared > overlap * (sum(areas) - shared)


def over_smaller(first: Box, second: Box, overlap: float) -> bool:
    # As facenet-pytorch counts it, a box holds both its first and its last pixel.
    shared, areas = measured(first, second, edge=1)
    return shared > overlap * min(areas)


def measured(first: Box, second: Box, edge: int) -> tuple[float, list[float]]:
    """What two boxes share, and the area of each."""
    width = min(first[2], second[2]) - max(first[0], second[0]) + edge
    height = min(first[3], second[3]) - max(first[1], second[1]) + edge
    areas = [(box[2] - box[0] + edge) * (box[3] - box[1] + edge) for box in (first, second)]
    return max(width, 0) * max(height, 0), areas


BOTH = pytest.mark.parametrize(
    ("suppress", "alike"),
    [(non_maximum_suppression, over_union), (_suppressed_within, over_smaller)],
    ids=["over the union", "within"],
)


@BOTH
@settings(max_examples=40)
@given(found=boxes(), overlap=OVERLAPS)
def test_the_best_are_kept_greedily(
    suppress: Suppression, alike: Callable[[Box, Box, float], bool], found: Boxes, overlap: float
) -> None:
    rows = found.tolist()
    kept: list[int] = []
    # Of equal scores the one that comes first is the better.
    for index in sorted(range(len(rows)), key=lambda index: -rows[index][4]):
        if not any(alike(rows[better], rows[index], overlap) for better in kept):
            kept.append(index)
    assert suppress(found, overlap).tolist() == kept


@BOTH
def test_a_box_of_a_later_block_is_dropped_by_one_of_the_first(suppress: Suppression, alike: object) -> None:
    count = 2 * BLOCK + 1
    corners = 20 * np.arange(count)
    found = np.column_stack([corners, corners, corners + 10, corners + 10, -corners]).astype(np.float32)
    assert suppress(found, 0.5).tolist() == list(range(count))
    found[-1, :4] = found[1, :4]
    assert suppress(found, 0.5).tolist() == list(range(count - 1))


@BOTH
def test_what_only_a_dropped_box_would_drop_is_kept(suppress: Suppression, alike: object) -> None:
    found = np.array([[0, 0, 100, 100, 3], [30, 0, 130, 100, 2], [60, 0, 160, 100, 1]], np.float32)
    assert suppress(found, 0.5).tolist() == [0, 2]


def test_a_small_box_in_a_large_one_is_dropped_only_within() -> None:
    found = np.array([[0, 0, 100, 100, 2], [10, 10, 30, 30, 1]], np.float32)
    assert non_maximum_suppression(found, 0.5).tolist() == [0, 1]
    assert _suppressed_within(found, 0.5).tolist() == [0]


def test_what_follows_the_score_is_carried_along() -> None:
    """PNet's windows bring their regression with them."""
    found = np.column_stack([np.zeros((3, 2)), np.full((3, 2), 10), [1, 3, 2], np.ones((3, 4))]).astype(np.float32)
    assert non_maximum_suppression(found, 0.5).tolist() == [1]
    assert non_maximum_suppression(found[:0], 0.5).dtype == np.intp
