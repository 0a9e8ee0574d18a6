"""Liveness: the probability that a face is of a live person and not a print, a screen or a mask."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from models.errors import ModelError
from models.fusion import Fusion, fused
from models.tasks.task import FaceTask, Floats, TaskOutput


class LivenessOutput(TaskOutput):
    """``[output]`` of a liveness card.

    Attributes:
        live_class: index of the live class among the network's logits; None if the architecture returns the live
            logit.
        shift: added to the live logit so that the card's operating point is a live probability of 0.5.
    """

    unexported = frozenset({"shift"})

    live_class: int | None = Field(None, ge=0)
    shift: float = 0.0


class LivenessTask(FaceTask[LivenessOutput]):
    """The live probability, from the logits of several classes."""

    name = "liveness"
    metric = "live"
    fuses = True
    output = LivenessOutput

    def shape(self, output: LivenessOutput) -> tuple[int, ...]:
        """Return the shape of a single number."""
        return ()

    def tail(self, output: LivenessOutput, sizes: Sequence[int]) -> str:
        """Return the graph that computes ``logit``, float32 (n).

        The logit is log(p / (1 - p)) for the live class's softmax probability p. It is computed as z_live minus the log
        of the sum of exp(z) over the other classes, which unlike p does not saturate.

        Raises:
            ModelError: the network does not have one output of two or more classes, or lacks this class.
        """
        if len(sizes) != 1 or sizes[0] < 2:
            raise ModelError(
                "the liveness task needs one output, the logits of several classes, but the network's outputs have "
                f"sizes {[*sizes]}"
            )
        classes, live_class = sizes[0], output.live_class
        if live_class is None or live_class >= classes:
            last = classes - 1
            raise ModelError(f"the card's live_class is {live_class}, but the network's classes are 0 to {last}")
        others = ", ".join(str(index) for index in range(classes) if index != live_class)
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
        """Return the live logit."""
        [classes] = raw
        spoofs = np.delete(classes, output.live_class or 0, axis=1)
        return np.asarray(classes[:, output.live_class or 0] - np.logaddexp.reduce(spoofs, axis=1), dtype=np.float32)

    def missing(self, output: LivenessOutput) -> str:
        """Return ``live_class`` if the card lacks it. Networks with their own architecture do not need it."""
        return "live_class" if output.live_class is None else ""

    def reading(self, output: LivenessOutput, fusion: Fusion | None, answers: Floats) -> Floats:
        """Return the live probability, float32 (n): the logistic function of the (fused) logit plus the shift."""
        logit = (fused(fusion, answers) if fusion else answers[:, 0]).astype(np.float64) + output.shift
        # This form of the logistic function does not overflow.
        return ((np.tanh(logit / 2) + 1) / 2).astype(np.float32)

    def threshold_problem(self, value: float) -> str:
        """Return a message unless the threshold is 0.5."""
        return "" if value == 0.5 else "the live threshold of a card must be 0.5; choose the operating point with shift"


LIVENESS = LivenessTask()
