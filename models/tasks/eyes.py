"""Eyes: the probability that each eye is open."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from models.errors import ModelError
from models.tasks.task import FaceTask, Floats, TaskOutput


class EyesOutput(TaskOutput):
    """``[output]`` of an eyes card. The network reads one eye at a time.

    Attributes:
        open_class: index of the class of open eyes; the network has two classes.
    """

    open_class: int = Field(ge=0, le=1)


class EyesTask(FaceTask[EyesOutput]):
    """The softmax probability that an eye is open."""

    name = "eyes"
    several_crops = True
    output = EyesOutput

    def shape(self, output: EyesOutput) -> tuple[int, ...]:
        """Return the shape for one eye: a single number."""
        return ()

    def tail(self, output: EyesOutput, sizes: Sequence[int]) -> str:
        """Return the graph that computes the probability ``open``, float32 (n).

        Raises:
            ModelError: the network does not have two classes.
        """
        if [*sizes] != [2]:
            raise ModelError(
                f"the eyes task needs one output of size 2, but the network's outputs have sizes {[*sizes]}"
            )
        return f"""open_probability (float[n, 2] classes) => (float[n] open) {{
            open_class = Constant <value = int64 {{{output.open_class}}}> ()
            shares = Softmax <axis = 1> (classes)
            open = Gather <axis = 1> (shares, open_class)
        }}"""

    def answer(self, output: EyesOutput, raw: Sequence[Floats]) -> Floats:
        """Return the probability of the open class."""
        [classes] = raw
        shares = np.exp(classes - classes.max(axis=1, keepdims=True))
        return np.asarray(shares[:, output.open_class] / shares.sum(axis=1), dtype=np.float32)


EYES = EyesTask()
