"""Batches of concurrent calls: which calls share one, what each caller gets, and what happens if a batch fails."""

import itertools
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from threading import Event, Thread, current_thread

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from deployments.batching import Batcher, CallResult
from deployments.workers import Workers
from tests.waiting import TIMEOUT_S

FAULTY = -1


class Recorder:
    """A network that returns its input plus 1, and fails if a row contains `FAULTY`.

    Attributes:
        batches: the rows of each call.
        started, released: events of the first call, which starts and then waits to be released.
    """

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.started, self.released = Event(), Event()

    def __call__(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64]]:
        self.batches.append(rows[:, 0].tolist())
        if not self.started.is_set():
            self.started.set()
            assert self.released.wait(TIMEOUT_S)
        if FAULTY in rows:
            raise ValueError("faulty")
        return (rows + 1,)


@contextmanager
def busy(max_items: int) -> Iterator[tuple[Recorder, Batcher]]:
    """Yield a batcher whose only thread runs a call until the block ends, and then wait for all calls."""
    network, workers = Recorder(), Workers(1)
    batcher = Batcher(network, workers, max_items)
    batcher.submit(rows(0))
    assert network.started.wait(TIMEOUT_S)
    yield network, batcher
    network.released.set()
    done: Future[None] = Future()
    workers.submit(lambda: done.set_result(None))
    done.result(TIMEOUT_S)


def rows(*values: int, width: int = 1) -> NDArray[np.int64]:
    return np.repeat(np.array(values, dtype=np.int64)[:, None], width, axis=1)


def values(future: Future[CallResult]) -> list[int]:
    return [int(row[0]) for row in future.result(TIMEOUT_S).outputs[0]]


@given(st.integers(1, 8), st.lists(st.integers(0, 10), max_size=12))
def test_waiting_calls_share_batches_in_order_and_each_gets_its_own_rows(max_items: int, sizes: list[int]) -> None:
    with busy(max_items) as (network, batcher):
        calls = [[*range(10 * number, 10 * number + size)] for number, size in enumerate(sizes, 1)]
        futures = [batcher.submit(rows(*call)) for call in calls]
    assert [values(future) for future in futures] == [[value + 1 for value in call] for call in calls]
    batches = network.batches[1:]
    assert [row for batch in batches for row in batch] == [row for call in calls for row in call]
    # Only a single call may be larger than a batch, and two neighbouring batches would not have fitted into one.
    assert all(len(batch) <= max_items or batch in calls for batch in batches)
    sizes_by_first_row = {call[0]: len(call) for call in calls if call}
    for batch, following in itertools.pairwise(batches):
        assert not following or len(batch) + sizes_by_first_row[following[0]] > max_items


def test_inputs_of_another_shape_do_not_share_a_batch() -> None:
    with busy(max_items=8) as (network, batcher):
        futures = [batcher.submit(rows(value, width=width)) for value, width in [(1, 1), (2, 3), (3, 1), (4, 3)]]
    assert network.batches == [[0], [1, 3], [2, 4]]
    assert [future.result().outputs[0].tolist() for future in futures] == [[[2]], [[3] * 3], [[4]], [[5] * 3]]


def test_only_the_faulty_call_of_a_batch_fails() -> None:
    with busy(max_items=8) as (_, batcher):
        first, faulty, last = (batcher.submit(rows(value)) for value in (1, FAULTY, 3))
    assert (values(first), values(last)) == ([2], [4])
    with pytest.raises(ValueError, match="faulty"):
        values(faulty)


def test_cancelled_call_leaves_its_batch() -> None:
    with busy(max_items=8) as (network, batcher):
        futures = [batcher.submit(rows(value)) for value in (1, 2, 3)]
        assert futures[1].cancel()
    assert network.batches == [[0], [1, 3]]
    with pytest.raises(CancelledError):
        futures[1].result()


def test_only_a_batch_of_one_runs_in_the_thread_of_its_caller() -> None:
    threads = list[Thread]()

    def network(rows: NDArray[np.int64]) -> tuple[NDArray[np.int64]]:
        threads.append(current_thread())
        return (rows + 1,)

    for most in (1, 2):
        assert Batcher(network, Workers(1), most)(rows(5))[0].tolist() == [[6]]
    assert [thread is current_thread() for thread in threads] == [True, False]
