"""Time the networks of a model in each runtime, and compare their answers with the reference."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from timeit import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.decode import Limits, decode
from load_tests.gpu.parity import MEASURES, Answers, parity
from load_tests.gpu.runtimes import Runtime
from load_tests.gpu.sample import PhotoSample
from models.card import Card
from models.engines import RawNetwork, load_detector, load_members
from models.store import Store
from models.tasks import DETECTOR
from models.trial import one_line

MIN_CALLS, MAX_CALLS = 3, 30
"""Minimum and maximum number of calls that are timed."""
MAX_CPU_BATCH = 8
"""Largest batch that is timed on a CPU. Larger ones only take longer."""


@dataclass(frozen=True, slots=True)
class Row:
    """A network in a runtime.

    Attributes:
        measure, difference: how its model's answers compare with the reference, see `load_tests.gpu.parity`.
        batches: for each size, ``p50`` and ``p95`` in milliseconds, with the transfer of the arrays, and
            ``items_per_s``.
    """

    network: str
    runtime: str
    measure: str
    difference: float | None
    batches: dict[int, dict[str, float]]


class RecordedNetwork:
    """A network that keeps the inputs of the call with the largest items. `measure` times the network on them."""

    def __init__(self, run: RawNetwork) -> None:
        self._run, self._kept = run, tuple[NDArray[Any], ...]()

    def __call__(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Call the network."""
        if not self._kept or inputs[0][0].size >= self._kept[0][0].size:
            self._kept = inputs
        return self._run(*inputs)

    def measure(self, size: int, seconds: float) -> dict[str, float]:
        """Time batches of `size` items, taken from the kept inputs in turn, for about `seconds`.

        Returns:
            Figures as in `Row.batches`.
        """
        call = partial(self._run, *(array[np.arange(size) % len(array)] for array in self._kept))
        # The first calls of a shape allocate memory and choose algorithms.
        _, expected = repeat(call, number=1, repeat=2)
        times = repeat(call, number=1, repeat=int(min(MAX_CALLS, max(MIN_CALLS, seconds / expected))))
        p50, p95 = np.percentile(times, (50, 95)).tolist()
        return {"p50": 1000 * p50, "p95": 1000 * p95, "items_per_s": size / p50}


def measured_rows(
    card: Card,
    store: Store,
    runtimes: Sequence[Runtime],
    sample: PhotoSample,
    sizes: Sequence[int],
    seconds: float,
    missing: list[str],
) -> Iterator[Row]:
    """Yield a row per network and runtime, and add a line to `missing` for each runtime that fails to run the model.

    Args:
        runtimes: the first is the reference, and is not timed.
        seconds: time per batch size.
    """
    expected: Answers | None = None
    for number, runtime in enumerate(runtimes):
        if runtime.engine == "torch" and card.framework != "torch":
            continue
        try:
            networks, answers = _load(card, store, runtime, sample)
            if number == 0:
                expected = answers
                continue
            difference = None if expected is None else parity(card.task, expected, answers)
            timed = [size for size in sizes if runtime.device.kind == "cuda" or size <= MAX_CPU_BATCH]
            for name, network in networks.items():
                batches = {size: network.measure(size, seconds) for size in timed}
                yield Row(name, str(runtime), MEASURES[card.task], difference, batches)
        except Exception as error:
            # The errors of the engines have no common base class below Exception.
            missing.append(f"{card.name}, {runtime}: {one_line(error)}")


def _load(
    card: Card, store: Store, runtime: Runtime, sample: PhotoSample
) -> tuple[dict[str, RecordedNetwork], Answers]:
    """Load a model and run it on the sample.

    Returns:
        Its networks by name (a cascade has several), and its answers.
    """
    networks: list[RecordedNetwork] = []

    def recorded(run: RawNetwork) -> RecordedNetwork:
        networks.append(RecordedNetwork(run))
        return networks[-1]

    if card.task == DETECTOR:
        detector = load_detector(card, store, runtime.engine, runtime.device, {}, recorded)
        faces = [detector.detect(decode(photo, Limits()).pixels) for photo in sample.photos]
        names = [f"{card.name} {Path(export).stem}" for export in card.exports] if len(networks) > 1 else [card.name]
        return dict(zip(names, networks, strict=True)), faces
    members = load_members(card, store, runtime.engine, runtime.device)
    (answers,) = recorded(lambda *crops: (members(*crops),))(*(sample.crops[spec] for spec in card.crops))
    return {card.name: networks[0]}, answers
