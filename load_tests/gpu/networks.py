"""Load a model's networks, with inputs to time them on and answers to compare."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.decode import Limits, decode
from load_tests.gpu.parity import Answers
from load_tests.gpu.runtimes import Runtime
from load_tests.gpu.sample import Sample
from models.card import Card
from models.engines import RawNetwork, load_detector, load_members
from models.store import Store
from models.tasks import DETECTOR


class Network:
    """A network that keeps the inputs of the call with its largest items."""

    def __init__(self, run: RawNetwork) -> None:
        self._run, self._kept = run, tuple[NDArray[Any], ...]()

    def __call__(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Call the network."""
        if not self._kept or inputs[0][0].size >= self._kept[0][0].size:
            self._kept = inputs
        return self._run(*inputs)

    def batch(self, size: int) -> tuple[NDArray[Any], ...]:
        """Return inputs of `size` items: the kept ones, repeated."""
        return tuple(array[np.arange(size) % len(array)] for array in self._kept)


def load_model(card: Card, store: Store, runtime: Runtime, sample: Sample) -> tuple[dict[str, Network], Answers]:
    """Load a model and run it on the sample.

    Returns:
        Its networks by name, of which a cascade has several, and its answers.

    Raises:
        ModelError: see `models.engines`.
    """
    networks: list[Network] = []

    def kept(run: RawNetwork) -> Network:
        networks.append(Network(run))
        return networks[-1]

    if card.task == DETECTOR:
        detector = load_detector(card, store, runtime.engine, runtime.device, {}, kept)
        found = [detector.detect(decode(photo, Limits()).pixels) for photo in sample.photos]
        names = [f"{card.name} {Path(export).stem}" for export in card.exports] if len(networks) > 1 else [card.name]
        return dict(zip(names, networks, strict=True)), found
    members = load_members(card, store, runtime.engine, runtime.device)
    (answers,) = kept(lambda *crops: (members(*crops),))(*(sample.crops[spec] for spec in card.crops))
    return {card.name: networks[0]}, answers
