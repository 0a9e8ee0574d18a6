"""Embedder: represents a face as a vector of length 1, close to other vectors of the same person."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from models.errors import ModelError
from models.tasks.task import FaceTask, Floats, TaskOutput

SHORTEST = 1e-12
"""A raw embedding is divided by its length, or by this if its length is smaller."""


class EmbedderOutput(TaskOutput):
    """``[output]`` of an embedder's card.

    Attributes:
        size: length of an embedding.
    """

    unexported = frozenset({"size"})

    size: int = Field(gt=0)


class Embedder(FaceTask[EmbedderOutput]):
    """Scales the output of the network to length 1."""

    name = "embedder"
    metric = "cosine"
    takes_logits = False
    output = EmbedderOutput

    def shape(self, output: EmbedderOutput) -> tuple[int, ...]:
        """Return the shape of an embedding."""
        return (output.size,)

    def tail(self, output: EmbedderOutput, sizes: Sequence[int]) -> str:
        """Return the graph that computes ``embedding``, float32 (n, size).

        Raises:
            ModelError: the network does not have one output of this size.
        """
        if len(sizes) != 1:
            raise ModelError(f"the embedder task needs one output, but the network's outputs have sizes {[*sizes]}")
        if sizes[0] != output.size:
            raise ModelError(f"the card's output.size is {output.size}, but the network returns {sizes[0]} numbers")
        return f"""l2_norm (float[n, {output.size}] raw) => (float[n, {output.size}] embedding) {{
            shortest = Constant <value = float {{{SHORTEST}}}> ()
            axis = Constant <value = int64[1] {{1}}> ()
            length = ReduceL2 <keepdims = 1> (raw, axis)
            divisor = Max (length, shortest)
            embedding = Div (raw, divisor)
        }}"""

    def answer(self, output: EmbedderOutput, raw: Sequence[Floats]) -> Floats:
        """Scale embeddings to length 1."""
        [embeddings] = raw
        lengths = np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), SHORTEST)
        return np.asarray(embeddings / lengths, dtype=np.float32)


EMBEDDER = Embedder()
