"""Descriptions of faces in AWS's form.

Coordinates are fractions of the photo's width and height. Percentages are 0 to 100.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from api.v1.attributes import EyesAnswer, PoseAnswer
from graphs.faces import ExaminedPhoto
from graphs.stages import FaceStage, Stages
from imaging.faces import Photo
from models.tasks.eyes import EYES
from models.tasks.pose import POSE
from project.request_error import RequestError

LANDMARKS = ("eyeLeft", "eyeRight", "nose", "mouthLeft", "mouthRight")
"""Types of the landmarks of `imaging.faces.Face`, in their order, with the same left and right."""
SHARP = 100.0
"""Variance of the Laplacian at which the sharpness is 50."""


def detail_stages(stages: Stages, attributes: Sequence[str], member: str = "Attributes") -> Mapping[str, FaceStage]:
    """Return the stages for a face's details, by task: pose, and eyes if requested.

    A task without a stage is left out.

    Args:
        member: name of the request's member that has the attributes, for errors.

    Raises:
        RequestError: ``INVALID_REQUEST`` if an attribute that is requested by name is not available.
    """
    available = {"DEFAULT", "ALL"} | ({"EYES_OPEN"} if EYES.name in stages.defaults else set())
    for name in attributes:
        if name not in available:
            raise RequestError("INVALID_REQUEST", f"{member}: this service does not determine {name}")
    wanted = [POSE.name, *([EYES.name] if {"ALL", "EYES_OPEN"} & set(attributes) else [])]
    return {task: stages.network(task, None) for task in wanted if task in stages.defaults}


def bounding_box(photo: Photo, index: int) -> dict[str, float]:
    """Return the box of a face of `photo`."""
    left, top, right, bottom = photo.faces[index].box
    return {
        "Width": (right - left) / photo.width,
        "Height": (bottom - top) / photo.height,
        "Left": left / photo.width,
        "Top": top / photo.height,
    }


def confidence(photo: Photo, index: int) -> float:
    """Return the detector's confidence that the box of a face of `photo` contains a face."""
    return 100 * photo.faces[index].score


def face_detail(photo: Photo, index: int) -> dict[str, Any]:
    """Describe a face of `photo` from the detector's result alone."""
    face, quality = photo.faces[index], photo.face_qualities[index]
    return {
        "BoundingBox": bounding_box(photo, index),
        "Confidence": confidence(photo, index),
        "Landmarks": [
            {"Type": kind, "X": x / photo.width, "Y": y / photo.height}
            for kind, (x, y) in zip(LANDMARKS, face.landmarks.tolist(), strict=True)
        ],
        "Quality": {
            "Brightness": quality.brightness * 100 / 255,
            "Sharpness": 100 * quality.sharpness / (quality.sharpness + SHARP),
        },
    }


def examined_detail(examined: ExaminedPhoto, row: int, details: Mapping[str, FaceStage]) -> dict[str, Any]:
    """Describe a face of an examined photo, with its attributes.

    Args:
        row: the face's row in the outputs of the models.
        details: the attribute stages that were run, by task.
    """
    index = examined.asked[row]
    described = face_detail(examined.photo, index)
    outputs = {task: examined.readings[stage.role][row] for task, stage in details.items()}
    if POSE.name in outputs:
        pose = PoseAnswer.of(examined.photo.faces[index], outputs[POSE.name])
        # For AWS, a turn towards the right edge of the photo is positive.
        described["Pose"] = {"Roll": pose.roll, "Yaw": -pose.yaw, "Pitch": pose.pitch}
    if EYES.name in outputs:
        eyes = EyesAnswer.of(outputs[EYES.name])
        opened = (eyes.left_open + eyes.right_open) / 2
        described["EyesOpen"] = {"Value": opened >= 0.5, "Confidence": 100 * max(opened, 1 - opened)}
    return described
