"""What every task of a network that reads crops of faces defines."""

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
        unexported: fields that do not change the exported file.
    """

    unexported: ClassVar[frozenset[str]] = frozenset()


Out = TypeVar("Out", bound=TaskOutput)


class FaceTask(ABC, Generic[Out]):
    """How raw outputs of a network become its answer for each face.

    Attributes:
        name: what cards call the task.
        output: the schema of ``[output]`` on the task's cards.
        metric: what a card's threshold is a value of; None if the task decides nothing.
        fuses: whether a fusion may combine networks of the task.
    """

    name: ClassVar[str]
    metric: ClassVar[str | None] = None
    fuses: ClassVar[bool] = False
    output: type[Out]

    @abstractmethod
    def shape(self, output: Out) -> tuple[int, ...]:
        """Shape of the answer for one face."""

    @abstractmethod
    def tail(self, output: Out, sizes: Sequence[int]) -> str:
        """The same step in ONNX's text format, as a graph from the network's outputs to the answer.

        Args:
            sizes: length of each output for one face.

        Raises:
            ModelError: the network does not have these outputs.
        """

    @abstractmethod
    def answer(self, output: Out, raw: Sequence[Floats]) -> Floats:
        """The answer that `tail` computes, float32 (n, *shape), from outputs of shape (n, size) each."""

    def missing(self, output: Out) -> str:
        """The field that `tail` needs and `output` does not state; empty if it has all."""
        return ""

    def reading(self, output: Out, fusion: Any, answers: Floats) -> Floats:
        """What a stage answers for n faces.

        Args:
            fusion: how the members of a fusion are combined; None for a single network.
            answers: float32 (n, members, *shape).
        """
        return answers[:, 0]

    def threshold_problem(self, value: float) -> str:
        """Why a card cannot state this threshold; empty if it can."""
        return "" if -1 <= value <= 1 else "each value is between -1 and 1"
