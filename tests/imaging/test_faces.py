"""Faces and boxes in turned photos, the records that stages exchange, and the error of a request."""

import pickle

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from imaging.crops import CropSpec
from imaging.faces import Detection, Face
from imaging.geometry import turned, turned_box, turned_points
from project.request_error import RequestError
from tests.fakes import photo

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


def test_a_face_is_scaled_and_turned_with_its_photo() -> None:
    face = Face((10.0, 20.0, 30.0, 50.0), 0.9, np.array([[1, 2]] * 5, dtype=np.float32))
    larger, upright = face.scaled(2.5), face.turned(1, 100, 80)
    assert (larger.box, upright.box) == ((25.0, 50.0, 75.0, 125.0), (20.0, 70.0, 50.0, 90.0))
    assert larger.score == upright.score == 0.9
    assert larger.landmarks.dtype == upright.landmarks.dtype == np.float32
    assert larger.landmarks.tolist() == [[2.5, 5.0]] * 5
    assert upright.landmarks.tolist() == [[2, 99]] * 5


def test_a_refusal_from_another_process_is_complete() -> None:
    refusal = pickle.loads(pickle.dumps(RequestError("INVALID_IMAGE", "The image is empty")))
    assert (refusal.code, refusal.message) == ("INVALID_IMAGE", "The image is empty")
    assert str(refusal) == "INVALID_IMAGE: The image is empty"


def test_detections_are_joined_in_order_with_their_crops_and_times() -> None:
    spec, first, refused = CropSpec(2, "box"), photo(), RequestError("INVALID_IMAGE", "The image is empty")
    crops = np.arange(3 * 12, dtype=np.uint8).reshape(3, 2, 2, 3)
    joined = Detection.joined(
        [
            Detection((first,), {spec: crops[:1]}, {"decode": 0.25, "detect": 1.0}),
            Detection((refused,), {spec: crops[:0]}, {"decode": 0.5}),
            Detection((first,), {spec: crops[1:]}, {"decode": 0.25, "detect": 2.0}),
        ],
        [spec],
    )
    assert joined.photos == (first, refused, first)
    np.testing.assert_array_equal(joined.crops[spec], crops)
    assert joined.steps == {"decode": 1.0, "detect": 3.0}
    none = Detection.joined([], [spec])
    assert none.photos == ()
    np.testing.assert_array_equal(none.crops[spec], crops[:0], strict=True)
