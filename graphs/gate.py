"""Whether a face is good enough to be enrolled, and if not, why."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphs.policy import Policy
from imaging.faces import Face, Photo


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a face is not good enough: a stable code, and one sentence.

    Attributes:
        refuses: whether a face is not enrolled for it where quality is required; otherwise it is only reported.
    """

    code: str
    message: str
    refuses: bool = True


def reasons(photo: Photo, index: int, policy: Policy) -> list[Reason]:
    """Everything that speaks against enrolling one face of `photo`, as far as the detector tells."""
    return list(_reasons(photo, photo.faces[index], index, policy))


def attribute_reasons(
    policy: Policy, pose: NDArray[np.float32] | None, eyes: NDArray[np.float32] | None
) -> Iterator[Reason]:
    """What the readings of a face's attributes say against enrolling it.

    Args:
        pose: float32 (3), yaw, pitch and roll in degrees; None if it was not asked.
        eyes: float32 (2), the probability that each eye is open; None if it was not asked.
    """
    if pose is not None:
        yaw, pitch = abs(float(pose[0])), abs(float(pose[1]))
        refuses = policy.enrol_pose == "require"
        if yaw > policy.enrol_max_yaw:
            yield Reason("FACE_TURNED", f"The face looks {yaw:.0f} degrees to a side", refuses)
        elif pitch > policy.enrol_max_pitch:
            yield Reason("FACE_TURNED", f"The face looks {pitch:.0f} degrees up or down", refuses)
    if eyes is not None and (open_eye := float(eyes.max())) < policy.enrol_min_open:
        message = f"Both eyes are closed: the probability that one is open is {open_eye:.2f}"
        yield Reason("EYES_CLOSED", message, policy.enrol_eyes == "require")


def turn(landmarks: NDArray[np.float32]) -> float:
    """How far a face looks aside: 0 straight at the camera, about 0.5 at 45 degrees, more than 1 in profile.

    The nose tip's distance from the middle between the eyes along the line through them, in
    distances between the eyes; that line takes the head's tilt out.
    """
    left, right, nose = landmarks[0], landmarks[1], landmarks[2]
    between = right - left
    distance = float(np.linalg.norm(between))
    if distance == 0:
        return float("inf")
    return abs(float((nose - (left + right) / 2) @ between)) / distance**2


def _reasons(photo: Photo, face: Face, index: int, policy: Policy) -> Iterator[Reason]:
    quality = photo.face_qualities[index]
    left, top, right, bottom = face.box
    side, longer = min(right - left, bottom - top), max(right - left, bottom - top)
    if side < policy.enrol_min_face:
        yield Reason("FACE_TOO_SMALL", f"The face is {side:.0f} pixels wide, less than {policy.enrol_min_face:g}")
    outside = max(-left, -top, right - photo.width, bottom - photo.height)
    if outside > policy.enrol_max_cut * longer:
        yield Reason("FACE_CUT_OFF", "The face reaches far beyond the photo's edge")
    if quality.brightness < policy.enrol_min_brightness:
        yield Reason("FACE_TOO_DARK", f"The face is too dark: brightness {quality.brightness:.0f} of 255")
    if quality.brightness > policy.enrol_max_brightness:
        yield Reason("FACE_TOO_BRIGHT", f"The face is too bright: brightness {quality.brightness:.0f} of 255")
    if quality.contrast < policy.enrol_min_contrast:
        yield Reason("FACE_LOW_CONTRAST", f"The face has too little contrast: {quality.contrast:.0f}")
    if quality.sharpness < policy.enrol_min_sharpness:
        yield Reason("FACE_BLURRED", f"The face is blurred: sharpness {quality.sharpness:.0f}")
    if turn(face.landmarks) > policy.enrol_max_turn:
        yield Reason("FACE_TURNED", "The face looks too far aside")
