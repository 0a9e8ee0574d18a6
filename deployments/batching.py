"""Combine concurrent calls of a network into batches."""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deployments.workers import Workers
from models.engines import RawNetwork

Arrays = tuple[NDArray[Any], ...]


@dataclass(frozen=True, slots=True)
class CallResult:
    """The result of one call of a network.

    Attributes:
        outputs: arrays with one row per item of the call.
        interval: start and end of its batch in seconds, by `time.perf_counter`.
    """

    outputs: Arrays
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class _QueuedCall:
    inputs: Arrays
    future: Future[CallResult] = field(default_factory=Future)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return [array.shape[1:] for array in self.inputs]

    @property
    def items(self) -> int:
        return len(self.inputs[0])


class Batcher:
    """Queues calls of a network while its threads are busy, and runs them as one batch when a thread is free.

    If a thread is free, a call starts immediately. The next batch starts with the call that has waited longest; later
    calls with inputs of the same shape join it in order, until one does not fit. If a batch fails, its calls run again
    one by one, so that only the faulty ones fail. A call whose future is cancelled before its batch starts is left out.

    `serve.batch` does the same for coroutines, but a detector calls its networks from threads, at any point of its
    work, and with inputs of different shapes (docs/performance.md compares the two).

    Args:
        network: called by several threads at once if `workers` has several, or if `max_items` is 1.
        workers: threads that run the batches.
        max_items: maximum number of items in a batch. A call with more runs alone.

    Attributes:
        max_items: can be changed at any time; applies to batches that have not started.
    """

    def __init__(self, network: RawNetwork, workers: Workers, max_items: int) -> None:
        self._network, self._workers, self.max_items = network, workers, max_items
        self._queue: deque[_QueuedCall] = deque()
        self._lock = Lock()

    def submit(self, *inputs: NDArray[Any]) -> Future[CallResult]:
        """Queue a call.

        Args:
            inputs: arrays with one row per item, all of the same length.

        Returns:
            A future that raises the network's errors.
        """
        call = _QueuedCall(inputs)
        with self._lock:
            self._queue.append(call)
        # One job per call. A job may also take the calls of later jobs, which then find fewer or none.
        self._workers.submit(self._run_next)
        return call.future

    async def run(self, parts: Iterable[Arrays]) -> list[CallResult]:
        """Queue a call for each of `parts`, and return the results in order. Raises the network's errors.

        If this is cancelled, parts whose batch has not started are left out.
        """
        return await asyncio.gather(*(asyncio.wrap_future(self.submit(*part)) for part in parts))

    def __call__(self, *inputs: NDArray[Any]) -> Arrays:
        """Call the network and wait for its outputs. Call this from a thread that is not one of `workers`.

        If `max_items` is 1, the network runs in the calling thread. Raises the network's errors.
        """
        if self.max_items == 1:
            return self._network(*inputs)
        return self.submit(*inputs).result().outputs

    def _run_next(self) -> None:
        if batch := self._next():
            self._run(batch)

    def _next(self) -> list[_QueuedCall]:
        """Take the calls of the next batch from the queue."""
        batch: list[_QueuedCall] = []
        passed: list[_QueuedCall] = []
        items = 0
        with self._lock:
            while self._queue:
                call = self._queue[0]
                if batch and items + call.items > self.max_items:
                    break
                self._queue.popleft()
                if batch and call.shapes != batch[0].shapes:
                    passed.append(call)
                elif call.future.set_running_or_notify_cancel():
                    batch.append(call)
                    items += call.items
            self._queue.extendleft(reversed(passed))
        return batch

    def _run(self, batch: Sequence[_QueuedCall]) -> None:
        started = time.perf_counter()
        try:
            outputs = self._network(*(_joined(arrays) for arrays in zip(*(call.inputs for call in batch), strict=True)))
        except Exception as error:
            # ONNX Runtime's errors have no common base class below Exception.
            if len(batch) == 1:
                batch[0].future.set_exception(error)
            else:
                for call in batch:
                    self._run([call])
            return
        interval, start = (started, time.perf_counter()), 0
        for call in batch:
            end = start + call.items
            call.future.set_result(CallResult(tuple(array[start:end] for array in outputs), interval))
            start = end


def _joined(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    # A single call, which is the usual case, is not copied.
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
