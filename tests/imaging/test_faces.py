"""The records that travel between the stages, and the one error of a request."""

import pickle

import numpy as np

from imaging.faces import Face
from imaging.refused import Refused


def test_a_face_is_scaled_with_its_photo() -> None:
    face = Face((10.0, 20.0, 30.0, 50.0), 0.9, np.array([[1, 2]] * 5, dtype=np.float32))
    larger = face.scaled(2.5)
    assert larger.box == (25.0, 50.0, 75.0, 125.0)
    assert larger.score == 0.9
    assert larger.landmarks.dtype == np.float32
    assert larger.landmarks.tolist() == [[2.5, 5.0]] * 5


def test_a_refusal_comes_whole_out_of_another_process() -> None:
    refusal = pickle.loads(pickle.dumps(Refused("INVALID_IMAGE", "The image is empty")))
    assert (refusal.code, refusal.message) == ("INVALID_IMAGE", "The image is empty")
    assert str(refusal) == "INVALID_IMAGE: The image is empty"
