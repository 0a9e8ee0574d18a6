"""Embedding: a face as a vector of length 1, close to those of the same person."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from models.tasks.task import FaceTask, Floats, TaskOutput

SHORTEST = 1e-12
"""A raw embedding is divided by its length, or by this where the length is smaller."""


class EmbedderOutput(TaskOutput):
    """``[output]`` of an embedder's card.

    Attributes:
        size: length of an embedding.
    """

    unexported = frozenset({"size"})

    size: int = Field(gt=0)


class Embedder(FaceTask[EmbedderOutput]):
    """Scales a network's one output to length 1."""

    name = "embedder"
    metric = "cosine"
    output = EmbedderOutput

    def shape(self, output: EmbedderOutput) -> tuple[int, ...]:
        """An embedding."""
        return (output.size,)

    def tail(self, output: EmbedderOutput, sizes: Sequence[int]) -> str:
        """The embedding as ``embedding``."""
        return f"""l2_norm (float[n, {output.size}] raw) => (float[n, {output.size}] embedding) {{
            shortest = Constant <value = float {{{SHORTEST}}}> ()
            axis = Constant <value = int64[1] {{1}}> ()
            length = ReduceL2 <keepdims = 1> (raw, axis)
            divisor = Max (length, shortest)
            embedding = Div (raw, divisor)
        }}"""

    def answer(self, output: EmbedderOutput, raw: Sequence[Floats]) -> Floats:
        """The same with numpy."""
        [embeddings] = raw
        lengths = np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), SHORTEST)
        return np.asarray(embeddings / lengths, dtype=np.float32)


EMBEDDER = Embedder()
