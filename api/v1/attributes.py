"""Attributes of a face, such as its pose. Requests name an attribute by its task."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from api.v1.examples import Answer, example
from graphs.stages import FaceStage, Stages
from imaging.crops import box_rotation
from imaging.faces import Face
from models.tasks.eyes import EYES
from models.tasks.pose import POSE
from project.request_error import RequestError

ATTRIBUTES = (POSE.name, EYES.name)
"""Tasks whose outputs are attributes of a face."""


class PoseAnswer(Answer):
    """Angles of the head in degrees; 0 for a face that looks straight at the camera."""

    model_config = example(yaw=-12.5, pitch=3.1, roll=1.7)

    yaw: float = Field(description="Positive if the face looks towards the left edge of the photo.")
    pitch: float = Field(description="Positive if the face looks up.")
    roll: float = Field(description="Positive if the head is tilted towards the right edge of the photo.")

    @classmethod
    def of(cls, face: Face, reading: NDArray[np.float32]) -> "PoseAnswer":
        """Convert the angles of the face's crop, which may be rotated, to angles in the photo."""
        yaw, pitch, roll = reading.tolist()
        rotated = roll + box_rotation(face.landmarks)
        return cls(yaw=yaw, pitch=pitch, roll=(rotated + 180) % 360 - 180)


class EyesAnswer(Answer):
    """The probability that each eye is open. Left and right are as seen when the face is upright."""

    model_config = example(left_open=0.99, right_open=0.98)

    left_open: float
    right_open: float

    @classmethod
    def of(cls, reading: NDArray[np.float32]) -> "EyesAnswer":
        left, right = reading.tolist()
        return cls(left_open=left, right_open=right)


def attribute_stages(stages: Stages, names: str | None) -> Mapping[str, FaceStage]:
    """Return the default stage of each attribute.

    Args:
        names: attributes, comma-separated; None for all that are configured.

    Raises:
        RequestError: ``UNKNOWN_ATTRIBUTE``.
    """
    known = {task: stages.network(task, None) for task in ATTRIBUTES if task in stages.defaults}
    if names is None:
        return known
    wanted = [name.strip() for name in names.split(",")] if names else []
    for name in wanted:
        if name not in known:
            has = f"available: {', '.join(known)}" if known else "this service has no attributes"
            raise RequestError("UNKNOWN_ATTRIBUTE", f"Unknown attribute {name}; {has}")
    return {name: known[name] for name in wanted}
