"""Liveness: whether a face in a photo is a live person's, or a print, a screen or a mask."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from models.errors import ModelError
from models.fusion import Fusion, fused
from models.tasks.task import FaceTask, Floats, TaskOutput


class LivenessOutput(TaskOutput):
    """``[output]`` of a liveness card.

    Attributes:
        live_class: which of the classes, whose logits the network returns, is live; None if the network's own
            architecture returns the live logit.
        shift: added to the live logit, so that a live probability of 0.5 is the card's operating point.
    """

    unexported = frozenset({"shift"})

    live_class: int | None = Field(None, ge=0)
    shift: float = 0.0


class LivenessTask(FaceTask[LivenessOutput]):
    """Turns the logits of several classes into the live probability."""

    name = "liveness"
    metric = "live"
    fuses = True
    output = LivenessOutput

    def shape(self, output: LivenessOutput) -> tuple[int, ...]:
        """One number."""
        return ()

    def tail(self, output: LivenessOutput, sizes: Sequence[int]) -> str:
        """The ``logit`` (n) of the live class.

        It is log(p / (1 - p)) of the class's softmax probability p, computed as z_live - log(sum of exp(z) of the
        others), which does not saturate as p does.

        Raises:
            ModelError: the network has no such class, or no other.
        """
        classes, live_class = sizes[0], output.live_class
        others = ", ".join(str(index) for index in range(classes) if index != live_class)
        if live_class is None or live_class >= classes or not others:
            raise ModelError(f"the network has {classes} classes, and the card's live_class is {live_class}")
        return f"""live_logit (float[n, {classes}] classes) => (float[n] logit) {{
            live_class = Constant <value = int64 {{{live_class}}}> ()
            other_classes = Constant <value = int64[{classes - 1}] {{{others}}}> ()
            axis = Constant <value = int64[1] {{1}}> ()
            live = Gather <axis = 1> (classes, live_class)
            others = Gather <axis = 1> (classes, other_classes)
            spoof = ReduceLogSumExp <keepdims = 0> (others, axis)
            logit = Sub (live, spoof)
        }}"""

    def answer(self, output: LivenessOutput, raw: Sequence[Floats]) -> Floats:
        """The same with numpy."""
        [classes] = raw
        spoofs = np.delete(classes, output.live_class or 0, axis=1)
        return np.asarray(classes[:, output.live_class or 0] - np.logaddexp.reduce(spoofs, axis=1), dtype=np.float32)

    def missing(self, output: LivenessOutput) -> str:
        """The live class, which a network with an architecture of its own does not need."""
        return "live_class" if output.live_class is None else ""

    def reading(self, output: LivenessOutput, fusion: Fusion | None, answers: Floats) -> Floats:
        """The live probability, float32 (n): 0.5 where the fused logit and the card's shift add up to 0."""
        logit = (fused(fusion, answers) if fusion else answers[:, 0]).astype(np.float64) + output.shift
        # The logistic function in a form that does not overflow.
        return ((np.tanh(logit / 2) + 1) / 2).astype(np.float32)

    def threshold_problem(self, value: float) -> str:
        """Only 0.5 is possible."""
        return "" if value == 0.5 else "the live threshold of a card is 0.5; choose the operating point with its shift"


LIVENESS = LivenessTask()
