"""The records that travel between the stages, and the one error of a request."""

import pickle

import numpy as np

from imaging.crops import CropSpec
from imaging.faces import Detection, Face
from imaging.refused import Refused
from tests.fakes import photo


def test_a_face_is_scaled_and_turned_with_its_photo() -> None:
    face = Face((10.0, 20.0, 30.0, 50.0), 0.9, np.array([[1, 2]] * 5, dtype=np.float32))
    larger, turned = face.scaled(2.5), face.turned(1, 100, 80)
    assert (larger.box, turned.box) == ((25.0, 50.0, 75.0, 125.0), (20.0, 70.0, 50.0, 90.0))
    assert larger.score == turned.score == 0.9
    assert larger.landmarks.dtype == turned.landmarks.dtype == np.float32
    assert larger.landmarks.tolist() == [[2.5, 5.0]] * 5
    assert turned.landmarks.tolist() == [[2, 99]] * 5


def test_a_refusal_comes_whole_out_of_another_process() -> None:
    refusal = pickle.loads(pickle.dumps(Refused("INVALID_IMAGE", "The image is empty")))
    assert (refusal.code, refusal.message) == ("INVALID_IMAGE", "The image is empty")
    assert str(refusal) == "INVALID_IMAGE: The image is empty"


def test_detections_are_joined_in_order_with_their_crops_and_times() -> None:
    spec, first, refused = CropSpec(2, "box"), photo(), Refused("INVALID_IMAGE", "The image is empty")
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
