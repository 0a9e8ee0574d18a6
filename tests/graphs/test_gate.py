"""Whether a face is good enough to be enrolled."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from graphs.flow_settings import FlowSettings
from graphs.gate import Reason, attribute_reasons, reasons, turn
from imaging.faces import Photo
from imaging.geometry import Box
from imaging.quality import Quality
from tests.fakes import AHEAD, ASIDE, photo

SETTINGS = FlowSettings(
    enrol_min_face=31,
    enrol_max_cut=0.25,
    enrol_min_brightness=41,
    enrol_max_brightness=221,
    enrol_min_contrast=16,
    enrol_min_sharpness=11,
    enrol_max_turn=0.5,
)
"""Every bound differs from its default."""


def seen(box: Box = (100, 100, 200, 200), landmarks: NDArray[np.float32] = AHEAD, **quality: float) -> Photo:
    """A photo of 640x480 of one face, which is good by default."""
    whole = photo()
    measured = Quality(**{"brightness": 120, "contrast": 50, "sharpness": 100, **quality})
    return replace(whole, faces=(replace(whole.faces[0], box=box, landmarks=landmarks),), face_qualities=(measured,))


def nose_at(x: float) -> NDArray[np.float32]:
    """A face whose eyes are 40 apart, and whose nose is `x` away from the middle."""
    landmarks = AHEAD.copy()
    landmarks[2] = (60 + x, 72)
    return landmarks


def codes(of: Photo, face: int = 0) -> list[str]:
    return [reason.code for reason in reasons(of, face, SETTINGS)]


@pytest.mark.parametrize(
    ("within", "beyond", "code"),
    [
        ({"box": (100, 100, 131, 200)}, {"box": (100, 100, 130.9, 200)}, "FACE_TOO_SMALL"),
        ({"box": (100, 100, 200, 131)}, {"box": (100, 100, 200, 130.9)}, "FACE_TOO_SMALL"),
        ({"box": (-25, 100, 75, 180)}, {"box": (-25.5, 100, 74.5, 180)}, "FACE_CUT_OFF"),
        ({"box": (100, -25, 180, 75)}, {"box": (100, -25.5, 180, 74.5)}, "FACE_CUT_OFF"),
        ({"box": (565, 100, 665, 180)}, {"box": (565.5, 100, 665.5, 180)}, "FACE_CUT_OFF"),
        ({"box": (100, 405, 180, 505)}, {"box": (100, 405.5, 180, 505.5)}, "FACE_CUT_OFF"),
        ({"brightness": 41}, {"brightness": 40.9}, "FACE_TOO_DARK"),
        ({"brightness": 221}, {"brightness": 221.1}, "FACE_TOO_BRIGHT"),
        ({"contrast": 16}, {"contrast": 15.9}, "FACE_LOW_CONTRAST"),
        ({"sharpness": 11}, {"sharpness": 10.9}, "FACE_BLURRED"),
        ({"landmarks": nose_at(20)}, {"landmarks": nose_at(20.5)}, "FACE_TURNED"),
        ({"landmarks": nose_at(-20)}, {"landmarks": nose_at(-20.5)}, "FACE_TURNED"),
    ],
)
def test_a_value_at_its_bound_is_accepted_and_one_beyond_it_is_not(within: Any, beyond: Any, code: str) -> None:
    assert codes(seen(**within)) == []
    assert codes(seen(**beyond)) == [code]


def test_every_reason_is_reported_with_what_was_measured() -> None:
    bad = seen((-20, 100, 9, 120), ASIDE, brightness=1, contrast=3, sharpness=2)
    assert [(reason.code, reason.message) for reason in reasons(bad, 0, SETTINGS)] == [
        ("FACE_TOO_SMALL", "The face's shorter side is 20 pixels; the minimum is 31"),
        ("FACE_CUT_OFF", "The face extends too far beyond the photo's edge"),
        ("FACE_TOO_DARK", "The face is too dark: brightness 1 of 255"),
        ("FACE_LOW_CONTRAST", "The face has too little contrast: 3"),
        ("FACE_BLURRED", "The face is blurred: sharpness 2"),
        ("FACE_TURNED", "The face is turned too far sideways"),
    ]
    [bright] = reasons(seen(brightness=250), 0, SETTINGS)
    assert bright.message == "The face is too bright: brightness 250 of 255"


def test_only_the_given_face_is_judged() -> None:
    good, bad = seen(), seen((100, 100, 130, 200), brightness=1)
    qualities = (*good.face_qualities, *bad.face_qualities)
    both = replace(good, faces=(*good.faces, *bad.faces), face_qualities=qualities)
    assert (codes(both), codes(both, 1)) == ([], ["FACE_TOO_SMALL", "FACE_TOO_DARK"])


def test_a_face_whose_eyes_are_one_point_is_turned_infinitely() -> None:
    assert turn(np.zeros((5, 2), np.float32)) == float("inf")


@given(
    st.floats(-60, 60),
    st.floats(-40, 40),
    st.floats(-3.2, 3.2),
    st.floats(0.2, 20),
    st.floats(-500, 500),
    st.floats(-500, 500),
)
def test_turn_does_not_depend_on_tilt_size_and_place(
    x: float, y: float, angle: float, scale: float, right: float, down: float
) -> None:
    face = AHEAD.astype(np.float64)
    face[2] = (60 + x, 50 + y)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    moved = scale * face @ rotation + (right, down)
    assert turn(moved.astype(np.float32)) == pytest.approx(abs(x) / 40, abs=2e-4)


def poor(settings: FlowSettings, **readings: Sequence[float]) -> list[Reason]:
    return list(attribute_reasons(settings, {task: np.array(each, np.float32) for task, each in readings.items()}))


@pytest.mark.parametrize(
    ("pose", "message"),
    [
        ((30, 25, 90), None),
        ((-30.5, 0, 0), "The face is turned 30 degrees sideways"),
        ((31, 40, 0), "The face is turned 31 degrees sideways"),
        ((0, -26, 0), "The face is turned 26 degrees up or down"),
    ],
)
def test_a_face_is_turned_beyond_the_measured_angles(pose: Sequence[float], message: str | None) -> None:
    settings = FlowSettings(enrol_max_yaw=30, enrol_max_pitch=25)
    assert poor(settings, pose=pose) == ([Reason("FACE_TURNED", message, refuses=False)] if message else [])


@pytest.mark.parametrize(("eyes", "closed"), [((0.4, 0.49), True), ((0.5, 0.0), False), ((0.0, 0.9), False)])
def test_eyes_are_closed_if_both_are(eyes: Sequence[float], closed: bool) -> None:
    assert [reason.code for reason in poor(FlowSettings(enrol_min_open=0.5), eyes=eyes)] == ["EYES_CLOSED"] * closed


def test_attributes_refuse_only_if_the_settings_require_them() -> None:
    for pose, eyes in (("require", "report"), ("report", "require")):
        found = poor(FlowSettings(enrol_pose=pose, enrol_eyes=eyes), pose=(90, 0, 0), eyes=(0, 0))
        assert [reason.refuses for reason in found] == [pose == "require", eyes == "require"]
    assert poor(FlowSettings(enrol_pose="require", enrol_eyes="require")) == []
