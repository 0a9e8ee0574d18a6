"""Head pose: yaw, pitch and roll in degrees."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from models.errors import ModelError
from models.tasks.task import FaceTask, Floats, TaskOutput

ANGLES = ("yaw", "pitch", "roll")
"""The angles, in the order of both the network's outputs and the answer.

Yaw is positive if the face looks towards the left edge of the photo, pitch if it looks up, and roll if the head is
tilted towards the right edge.
"""


class PoseOutput(TaskOutput):
    """``[output]`` of a pose card. The network returns the logits of a row of bins for each angle.

    Attributes:
        first: angle of the first bin, in degrees.
        step: difference between neighbouring bins, in degrees.
    """

    first: float
    step: float = Field(gt=0)


class PoseTask(FaceTask[PoseOutput]):
    """The expected value of each angle over the softmax of its bins.

    Ruiz, Chong and Rehg, "Fine-Grained Head Pose Estimation Without Keypoints", CVPR Workshops 2018.
    """

    name = "pose"
    output = PoseOutput

    def shape(self, output: PoseOutput) -> tuple[int, ...]:
        """Return the shape of yaw, pitch and roll."""
        return (len(ANGLES),)

    def tail(self, output: PoseOutput, sizes: Sequence[int]) -> str:
        """Return the graph that computes ``angles``, float32 (n, 3).

        Raises:
            ModelError: the network does not have three outputs of the same size.
        """
        if len(sizes) != len(ANGLES) or len(set(sizes)) != 1:
            raise ModelError(
                f"the pose task needs three outputs of the same size, but the network's outputs have sizes {[*sizes]}"
            )
        bins = ", ".join(str(output.first + output.step * place) for place in range(sizes[0]))
        inputs = ", ".join(f"float[n, {size}] {angle}_bins" for angle, size in zip(ANGLES, sizes, strict=True))
        steps = "\n".join(
            f"{angle}_shares = Softmax <axis = 1> ({angle}_bins) {angle} = MatMul ({angle}_shares, degrees)"
            for angle in ANGLES
        )
        return f"""expected_angles ({inputs}) => (float[n, {len(ANGLES)}] angles) {{
            degrees = Constant <value = float[{sizes[0]}, 1] {{{bins}}}> ()
            {steps}
            angles = Concat <axis = 1> ({", ".join(ANGLES)})
        }}"""

    def answer(self, output: PoseOutput, raw: Sequence[Floats]) -> Floats:
        """Return the expected angles."""
        degrees = output.first + output.step * np.arange(raw[0].shape[1])
        weights = [np.exp(logits - logits.max(axis=1, keepdims=True)) for logits in raw]
        return np.stack([weight @ degrees / weight.sum(axis=1) for weight in weights], axis=1).astype(np.float32)


POSE = PoseTask()
