"""Which faces of a photo count."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.faces import Face
from imaging.pick import FaceRule, Pick, prominence

WIDTH, HEIGHT = 400, 300
LANDMARKS = np.zeros((5, 2), np.float32)
RULES = st.sampled_from(get_args(FaceRule))


def square(x: float, y: float, side: float, score: float = 0.99) -> Face:
    """A face in a square box about its centre."""
    half = side / 2
    return Face((x - half, y - half, x + half, y + half), score, LANDMARKS)


faces = st.lists(
    st.builds(square, st.floats(0, WIDTH), st.floats(0, HEIGHT), st.floats(1, 300), st.floats(0, 1)), max_size=5
).map(lambda found: sorted(found, key=lambda face: -face.score))


def test_a_face_in_the_middle_is_more_prominent_than_a_larger_one_at_the_edge() -> None:
    middle, edge = square(200, 150, 100), square(350, 150, 140)
    assert Pick("prominent").of([edge, middle], WIDTH, HEIGHT) == [middle]
    assert Pick("largest").of([middle, edge], WIDTH, HEIGHT) == [edge]


def test_prominence_is_area_less_twice_the_squared_distance_from_the_middle() -> None:
    assert prominence(square(230, 110, 50), WIDTH, HEIGHT) == 50**2 - 2 * (30**2 + 40**2)


@pytest.mark.parametrize(("side", "score", "counted"), [(33, 0.99, 2), (32, 0.99, 1), (150, 0.95, 2), (150, 0.94, 1)])
def test_a_second_face_counts_from_a_share_of_the_largest_ones_side_and_from_the_score_of_a_real_one(
    side: float, score: float, counted: int
) -> None:
    found = [square(60, 60, 100), square(300, 200, side, score)]
    picked = Pick("one", 0.33).of(found, WIDTH, HEIGHT, rival_score=0.95)
    assert len(picked) == counted
    assert found[0] in picked
    assert len(Pick("one").of(found, WIDTH, HEIGHT)) == 2


@given(rule=RULES.filter(lambda rule: rule != "all"))
def test_a_false_face_is_only_picked_without_a_real_one(rule: FaceRule) -> None:
    real, pin = square(200, 80, 100, 0.99), square(200, 150, 110, 0.93)
    pick = Pick(rule, 0.33)
    assert pick.of([real, pin], WIDTH, HEIGHT, rival_score=0.95) == [real]
    assert pick.of([pin], WIDTH, HEIGHT, rival_score=0.95) == [pin]


@given(rule=RULES, found=faces, more=faces)
def test_a_photo_with_faces_has_one_that_counts_and_smaller_ones_change_nothing(
    rule: FaceRule, found: list[Face], more: list[Face]
) -> None:
    pick = Pick(rule, 0.33)
    picked = pick.of(found, WIDTH, HEIGHT)
    assert bool(picked) == bool(found)
    assert set(map(id, picked)) <= set(map(id, found))
    if rule == "all":
        assert picked == found
    if picked:
        smallest = pick.smallest_rival(picked[0], WIDTH, HEIGHT)
        smaller = [face for face in more if face.side < 0.999 * smallest]
        assert [face.box for face in pick.of([*found, *smaller], WIDTH, HEIGHT)] == [face.box for face in picked]
