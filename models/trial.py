"""Run a network once, to check that it works and fits its card."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.card import Card
from models.errors import ModelError

FACES = 2
"""Number of faces on which a network is tried."""


def check_answer(card: Card, network: Callable[..., NDArray[Any]]) -> None:
    """Run `network` on noise, and check that its answers are finite and have the card's shape.

    Raises:
        ModelError: it does not run, or returns other answers.
    """
    random = np.random.default_rng(0)
    crops = (random.integers(0, 256, (FACES, spec.size, spec.size, 3), dtype=np.uint8) for spec in card.crops)
    answers, expected = trial(network, *crops), (FACES, *card.shape)
    if answers.shape != expected:
        raise ModelError(f"its answers for {FACES} faces have the shape {answers.shape}; its card requires {expected}")
    if not np.isfinite(answers).all():
        raise ModelError("its answers for noise contain numbers that are not finite")


def trial(network: Callable[..., Any], *arrays: NDArray[Any]) -> Any:
    """Run `network` once and return its answer.

    Raises:
        ModelError: it does not run.
    """
    try:
        return network(*arrays)
    except Exception as error:
        # ONNX Runtime's errors have no common base class below Exception.
        shapes = " and ".join(str(array.shape) for array in arrays)
        raise ModelError(f"the network does not run on an input of {shapes}: {one_line(error)}") from error


def one_line(error: Exception) -> str:
    """Return the message of another library's error on one line."""
    return " ".join(str(error).split())
