"""The interface of tasks whose networks read crops of faces."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.sources import Strict

Floats = NDArray[np.float32]


class TaskOutput(Strict):
    """``[output]`` of a card.

    Attributes:
        unexported: fields that do not affect the exported file.
    """

    unexported: ClassVar[frozenset[str]] = frozenset()


Out = TypeVar("Out", bound=TaskOutput)


class FaceTask(ABC, Generic[Out]):
    """Converts the raw outputs of a network to the answer for each face.

    Attributes:
        name: name of the task on cards.
        output: schema of ``[output]`` on cards.
        metric: metric of the cards' threshold; None if the task has no threshold.
        fuses: whether networks of the task can be fused.
        takes_logits: whether the outputs of a network must be logits and not probabilities.
        several_crops: whether an `onnx_file` network may read several crops per face, one at a time.
    """

    name: ClassVar[str]
    metric: ClassVar[str | None] = None
    fuses: ClassVar[bool] = False
    takes_logits: ClassVar[bool] = True
    several_crops: ClassVar[bool] = False
    output: type[Out]

    @abstractmethod
    def shape(self, output: Out) -> tuple[int, ...]:
        """Return the shape of the answer for one face."""

    @abstractmethod
    def tail(self, output: Out, sizes: Sequence[int]) -> str:
        """Return a graph from the network's outputs to the answer, in ONNX's text format.

        Args:
            sizes: length of each output of the network for one face.

        Raises:
            ModelError: the network does not have these outputs.
        """

    @abstractmethod
    def answer(self, output: Out, raw: Sequence[Floats]) -> Floats:
        """Compute the same answer as `tail` with numpy: float32 (n, *shape) from outputs of shape (n, size)."""

    def missing(self, output: Out) -> str:
        """Return the name of a field that `tail` needs and `output` lacks; empty if there is none."""
        return ""

    def reading(self, output: Out, fusion: Any, answers: Floats) -> Floats:
        """Compute the readings that a stage returns for n faces.

        Args:
            fusion: how the members are combined; None for a single network.
            answers: the members' answers, float32 (n, members, *shape).
        """
        return answers[:, 0]

    def threshold_problem(self, value: float) -> str:
        """Return why a card cannot have this threshold; empty if it can have it."""
        return "" if -1 <= value <= 1 else "each value must be between -1 and 1"
