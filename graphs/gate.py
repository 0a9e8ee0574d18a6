"""Quality gate of enrolment: why a face is not good enough."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphs.flow_settings import FlowSettings
from imaging.faces import Face, Photo


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a face is not good enough.

    Attributes:
        code: stable.
        message: one sentence.
        refuses: whether the face is rejected if quality is required. Otherwise the reason is only reported.
    """

    code: str
    message: str
    refuses: bool = True


def reasons(photo: Photo, index: int, settings: FlowSettings) -> list[Reason]:
    """Return every quality problem of one face of `photo` that can be judged from the detector's result."""
    return list(_reasons(photo, photo.faces[index], index, settings))


def attribute_reasons(settings: FlowSettings, attributes: Mapping[str, NDArray[np.float32]]) -> Iterator[Reason]:
    """Yield every quality problem of a face that can be judged from its attributes.

    Args:
        attributes: by task. ``pose``: float32 (3), yaw, pitch and roll in degrees. ``eyes``: float32 (2), the
            probability that each eye is open. Others are ignored.
    """
    if (pose := attributes.get("pose")) is not None:
        yaw, pitch = abs(float(pose[0])), abs(float(pose[1]))
        refuses = settings.enrol_pose == "require"
        if yaw > settings.enrol_max_yaw:
            yield Reason("FACE_TURNED", f"The face is turned {yaw:.0f} degrees sideways", refuses)
        elif pitch > settings.enrol_max_pitch:
            yield Reason("FACE_TURNED", f"The face is turned {pitch:.0f} degrees up or down", refuses)
    if (eyes := attributes.get("eyes")) is not None and (open_eye := float(eyes.max())) < settings.enrol_min_open:
        message = f"Both eyes appear closed: open probability of the more open eye {open_eye:.2f}"
        yield Reason("EYES_CLOSED", message, settings.enrol_eyes == "require")


def turn(landmarks: NDArray[np.float32]) -> float:
    """Return how far a face is turned sideways: 0 is frontal, 0.5 about 45 degrees, and more than 1 is profile.

    Measured as the distance of the nose tip from the midpoint between the eyes along the line through the eyes, divided
    by the distance between the eyes. It does not depend on the tilt of the head.
    """
    left, right, nose = landmarks[0], landmarks[1], landmarks[2]
    between = right - left
    distance = float(np.linalg.norm(between))
    if distance == 0:
        return float("inf")
    return abs(float((nose - (left + right) / 2) @ between)) / distance**2


def _reasons(photo: Photo, face: Face, index: int, settings: FlowSettings) -> Iterator[Reason]:
    quality = photo.face_qualities[index]
    left, top, right, bottom = face.box
    side, longer = min(right - left, bottom - top), max(right - left, bottom - top)
    if side < settings.enrol_min_face:
        minimum = f"the minimum is {settings.enrol_min_face:g}"
        yield Reason("FACE_TOO_SMALL", f"The face's shorter side is {side:.0f} pixels; {minimum}")
    outside = max(-left, -top, right - photo.width, bottom - photo.height)
    if outside > settings.enrol_max_cut * longer:
        yield Reason("FACE_CUT_OFF", "The face extends too far beyond the photo's edge")
    if quality.brightness < settings.enrol_min_brightness:
        yield Reason("FACE_TOO_DARK", f"The face is too dark: brightness {quality.brightness:.0f} of 255")
    if quality.brightness > settings.enrol_max_brightness:
        yield Reason("FACE_TOO_BRIGHT", f"The face is too bright: brightness {quality.brightness:.0f} of 255")
    if quality.contrast < settings.enrol_min_contrast:
        yield Reason("FACE_LOW_CONTRAST", f"The face has too little contrast: {quality.contrast:.0f}")
    if quality.sharpness < settings.enrol_min_sharpness:
        yield Reason("FACE_BLURRED", f"The face is blurred: sharpness {quality.sharpness:.0f}")
    if turn(face.landmarks) > settings.enrol_max_turn:
        yield Reason("FACE_TURNED", "The face is turned too far sideways")
