"""Time the networks of a model in each runtime."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from load_tests.gpu.networks import load_model
from load_tests.gpu.parity import MEASURES, Answers, parity
from load_tests.gpu.runtimes import Runtime
from load_tests.gpu.sample import Sample
from models.card import Card
from models.store import Store
from models.trial import one_line

WARM_UP = 2
"""Calls that are not timed: the first ones of a shape allocate memory and choose algorithms."""
LEAST, MOST = 3, 30
"""Minimum and maximum number of calls that are timed."""
LARGEST_CPU_BATCH = 8
"""On a CPU, larger batches only take time."""


@dataclass(frozen=True, slots=True)
class Row:
    """A network in a runtime.

    Attributes:
        measure, difference: how its model's answers compare with the reference, see `load_tests.gpu.parity`.
        batches: by size: ``p50`` and ``p95`` in milliseconds, with the transfer of the arrays, and ``items_per_s``.
    """

    network: str
    runtime: str
    measure: str
    difference: float | None
    batches: dict[int, dict[str, float]] = field(default_factory=dict)


def rows(
    card: Card, store: Store, runtimes: Sequence[Runtime], sample: Sample, sizes: Sequence[int], seconds: float
) -> list[Row | str]:
    """Return a row per network and runtime, and a line for each runtime that does not run the model.

    Args:
        runtimes: the first is the reference, and is not timed.
        seconds: time for each size of batch.
    """
    found: list[Row | str] = []
    expected: Answers | None = None
    for number, runtime in enumerate(runtimes):
        if runtime.engine == "torch" and card.framework != "torch":
            continue
        try:
            networks, answers = load_model(card, store, runtime, sample)
            if number == 0:
                expected = answers
                continue
            difference = None if expected is None else parity(card.task, expected, answers)
            for name, network in networks.items():
                found.append(row := Row(name, str(runtime), MEASURES[card.task], difference))
                for size in sizes:
                    if runtime.device.kind == "cuda" or size <= LARGEST_CPU_BATCH:
                        row.batches[size] = _summary(call_times(partial(network, *network.batch(size)), seconds), size)
        except Exception as error:
            # The errors of the engines have no common base class below Exception.
            found.append(f"{card.name}, {runtime}: {one_line(error)}")
    return found


def _summary(times: Sequence[float], size: int) -> dict[str, float]:
    p50, p95 = (float(each) for each in np.percentile(times, (50, 95)))
    return {"p50": 1000 * p50, "p95": 1000 * p95, "items_per_s": size / p50}


def call_times(
    call: Callable[[], object], seconds: float, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """Return the seconds of each of `LEAST` to `MOST` calls. After `LEAST`, none begins later than `seconds`."""
    for _ in range(WARM_UP):
        call()
    found: list[float] = []
    end = clock() + seconds
    while len(found) < LEAST or (len(found) < MOST and clock() < end):
        started = clock()
        call()
        found.append(clock() - started)
    return found
