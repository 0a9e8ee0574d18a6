"""Non-maximum suppression in blocks gives the same boxes as the plain greedy algorithm."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.detectors.mtcnn import BLOCK, non_maximum_suppression
from models.detectors.retinaface import CENTRE_VARIANCE, SIZE_VARIANCE, RetinaFace, anchors

Boxes = NDArray[np.float32]
Box = list[float]

# Integers and binary fractions are exact, so that both algorithms agree on equal shares.
OVERLAPS = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])


@st.composite
def boxes(draw: st.DrawFn, most: int = BLOCK + 40) -> Boxes:
    """Boxes with few positions, sizes and scores, so that many are equal, touch or tie. Often more than one block."""
    count = draw(st.integers(0, 12) | st.integers(min(BLOCK, most), most))
    places, sizes, scores = draw(st.integers(1, 400)), draw(st.integers(1, 12)), draw(st.integers(1, 500))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    corners = rng.integers(0, places, (count, 2))
    sides = rng.integers(0, sizes + 1, (count, 2))
    return np.column_stack([corners, corners + sides, rng.integers(0, scores, count)]).astype(np.float32)


def alike(first: Box, second: Box, overlap: float, within: bool) -> bool:
    """Whether two boxes overlap by more than `overlap`, a share of their union or, if `within`, of the smaller box."""
    # As in facenet-pytorch, a box then holds both its first and its last pixel.
    edge = int(within)
    width = min(first[2], second[2]) - max(first[0], second[0]) + edge
    height = min(first[3], second[3]) - max(first[1], second[1]) + edge
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0] + edge) * (box[3] - box[1] + edge) for box in (first, second)]
    return shared > overlap * (min(areas) if within else sum(areas) - shared)


def greedy(found: Boxes, overlap: float, within: bool = False) -> list[int]:
    """Best score first. Of equal scores, the first one wins."""
    rows, kept = found.tolist(), list[int]()
    for index in sorted(range(len(rows)), key=lambda index: -rows[index][4]):
        if not any(alike(rows[better], rows[index], overlap, within) for better in kept):
            kept.append(index)
    return kept


@pytest.mark.parametrize("within", [False, True])
@settings(max_examples=25)
@given(found=boxes(), overlap=OVERLAPS)
def test_the_best_are_kept_greedily(within: bool, found: Boxes, overlap: float) -> None:
    kept = greedy(found, overlap, within)
    # PNet's windows also hold their regression.
    for each in (found, np.pad(found, ((0, 0), (0, 4)))):
        assert non_maximum_suppression(each, overlap, within=within).tolist() == kept


@settings(max_examples=40)
@given(found=boxes(most=40), overlap=st.sampled_from([0.293, 0.419, 0.7071]))
def test_retinaface_keeps_the_best_of_its_likely_faces(found: Boxes, overlap: float) -> None:
    """`overlap` is never the exact overlap of two boxes, where OpenCV would round differently."""
    found = found[(found[:, 2:4] > found[:, :2]).all(axis=1)]
    found[:, 4] = np.random.default_rng(0).permutation(len(found)) / max(len(found), 1)
    likely = found[found[:, 4] >= 0.5]
    detector = RetinaFace(lambda photos: encoded(found, *photos.shape[1:3]), least_score=0.5, overlap=overlap)
    faces = detector.detect(np.zeros((160, 160, 3), np.uint8))
    kept = likely[greedy(likely, overlap)]
    assert [face.score for face in faces] == kept[:, 4].tolist()
    np.testing.assert_allclose(np.reshape([face.box for face in faces], (-1, 4)), kept[:, :4].reshape(-1, 4), atol=1e-2)


def encoded(found: Boxes, height: int, width: int) -> tuple[Boxes, Boxes, Boxes]:
    """The network's answers if the first anchors of a photo find these boxes and the others find nothing."""
    grid = anchors(height, width)
    scores, boxes = np.zeros((1, len(grid)), np.float32), np.zeros((1, len(grid), 4), np.float32)
    scores[0, : len(found)] = found[:, 4]
    centres, sides = grid[: len(found), :2], grid[: len(found), 2:]
    boxes[0, : len(found), :2] = ((found[:, :2] + found[:, 2:4]) / 2 - centres) / (CENTRE_VARIANCE * sides)
    boxes[0, : len(found), 2:] = np.log((found[:, 2:4] - found[:, :2]) / sides) / SIZE_VARIANCE
    return scores, boxes, np.zeros((1, len(grid), 10), np.float32)
