"""What becomes of boxes and points when their photo is turned."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from imaging.geometry import turned, turned_box, turned_points

turns = st.integers(-4, 7)
sides = st.integers(1, 30)


@given(turns=turns, width=sides, height=sides, data=st.data())
def test_a_box_holds_the_same_pixels_after_turns(turns: int, width: int, height: int, data: st.DataObject) -> None:
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    right, bottom = data.draw(st.integers(left + 1, width)), data.draw(st.integers(top + 1, height))
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[top:bottom, left:right] = 255
    after = turned_box((left, top, right, bottom), turns, width, height)
    x0, y0, x1, y1 = (round(edge) for edge in after)
    upright = turned(pixels, turns)
    assert upright[y0:y1, x0:x1].all()
    assert (upright > 0).sum() == (pixels > 0).sum() == 3 * (x1 - x0) * (y1 - y0)


@given(turns=turns, width=sides, height=sides)
def test_turns_back_undo_turns(turns: int, width: int, height: int) -> None:
    points = np.array([[1.5, 2.0], [-3.0, 40.25]])
    after = turned_points(points, turns, width, height)
    width, height = (height, width) if turns % 2 else (width, height)
    np.testing.assert_allclose(turned_points(after, -turns, width, height), points)
