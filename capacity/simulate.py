"""Predict rate, response times and utilisation of a system under load."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

import numpy as np

from capacity.events import BatchQueue, Calendar, Process, Processor
from capacity.system import Mix, NodeSize, Place, StageModel, System

WARM_UP = 0.2
"""Share of the requests, at the start, that are not measured because the queues are still filling."""


@dataclass(frozen=True, slots=True)
class OpenLoad:
    """Requests arrive independently of each other (Poisson), `rate` per second."""

    rate: float


@dataclass(frozen=True, slots=True)
class ClosedLoad:
    """`clients` clients, each of which sends its next request as soon as it has the response to the last."""

    clients: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the model predicts.

    Attributes:
        rate: responses per second.
        seconds: response times, in the order of the responses.
        cores: utilisation of each node's cores.
        gpus: utilisation of each node's GPUs.
    """

    rate: float
    seconds: Sequence[float]
    cores: tuple[float, ...]
    gpus: tuple[tuple[float, ...], ...]

    def percentile(self, percent: float) -> float:
        """Return a percentile of the response times, in seconds."""
        return float(np.percentile(self.seconds, percent))


def simulate(system: System, mix: Mix, load: OpenLoad | ClosedLoad, *, requests: int = 4000) -> Prediction:
    """Simulate until `requests` requests have been answered. The same arguments give the same prediction.

    No request is rejected: if the load is more than the system can handle, queues grow, and `rate` is what it handles.
    """
    return _Simulation(system, mix).run(load, requests)


class _Node:
    """A node's processors."""

    def __init__(self, calendar: Calendar, size: NodeSize) -> None:
        self.cores = Processor(calendar, size.cores)
        self.gpus = [Processor(calendar, 1) for _ in range(size.gpus)]


class _SimulatedReplica:
    """A replica: its event loop, its workers and, in a detector on a GPU, the thread that runs the networks."""

    def __init__(
        self, calendar: Calendar, model: StageModel, node: _Node, place: Place, noise: Callable[[], float]
    ) -> None:
        self.calls = 0
        self._calendar, self._model, self._cores, self._noise = calendar, model, node.cores, noise
        self._gpu = None if place.gpu is None else node.gpus[place.gpu]
        self._loop = BatchQueue(calendar, 1, 1, lambda _: self._on_core(model.loop))
        self._workers = BatchQueue(calendar, model.workers, 1 if model.decodes else model.largest, self._work)
        self._networks = BatchQueue(calendar, 1, model.largest, self._on_gpu)

    def call(self, items: int) -> Process:
        self.calls += 1
        yield self._calendar.pause(self._model.hop)
        yield self._loop.submit(1)
        # A list, so that all parts begin at once.
        yield from [self._workers.submit(part) for part in self._model.parts(items)]
        self.calls -= 1

    def _work(self, items: int) -> Process:
        yield from self._on_core(self._model.core.of(items))
        if self._model.gpu is None:
            return
        if self._model.decodes:
            yield self._networks.submit(items)
        else:
            yield from self._on_gpu(items)

    def _on_core(self, seconds: float) -> Process:
        if seconds:
            yield self._cores.run(seconds * self._noise())

    def _on_gpu(self, items: int) -> Process:
        assert self._model.gpu
        assert self._gpu
        yield self._gpu.run(self._model.gpu.of(items))


class _Simulation:
    def __init__(self, system: System, mix: Mix) -> None:
        self._calendar = Calendar()
        self._random = Random(0)  # noqa: S311 - not a secret
        self._routes, self._shares = list(mix), list(mix.values())
        self._nodes = [_Node(self._calendar, size) for size in system.nodes]
        variance, random = system.variation**2, Random("0 noise")  # noqa: S311 - not a secret
        # Factors with mean 1.
        noise: Callable[[], float] = partial(random.gammavariate, 1 / variance, variance) if variance else lambda: 1.0
        self._replicas = {
            name: [
                _SimulatedReplica(self._calendar, system.stages[name], self._nodes[place.node], place, noise)
                for place in places
            ]
            for name, places in system.places.items()
        }
        self._seconds: list[float] = []

    def run(self, load: OpenLoad | ClosedLoad, requests: int) -> Prediction:
        for process in self._sources(load):
            self._calendar.start(process)
        self._calendar.run_until(lambda: len(self._seconds) >= int(requests * WARM_UP))
        before, start = len(self._seconds), self._calendar.now
        for node in self._nodes:
            for processor in (node.cores, *node.gpus):
                processor.forget()
        self._calendar.run_until(lambda: len(self._seconds) >= requests)
        seconds, passed = self._seconds[before:], self._calendar.now - start
        return Prediction(
            rate=len(seconds) / passed,
            seconds=seconds,
            cores=tuple(node.cores.busy / passed / node.cores.capacity for node in self._nodes),
            gpus=tuple(tuple(gpu.busy / passed for gpu in node.gpus) for node in self._nodes),
        )

    def _sources(self, load: OpenLoad | ClosedLoad) -> list[Process]:
        if isinstance(load, OpenLoad):
            return [self._arrivals(load.rate)]
        return [self._client() for _ in range(load.clients)]

    def _arrivals(self, rate: float) -> Process:
        while True:
            yield self._calendar.pause(self._random.expovariate(rate))
            self._calendar.start(self._request())

    def _client(self) -> Process:
        while True:
            yield from self._request()

    def _request(self) -> Process:
        started = self._calendar.now
        [route] = self._random.choices(self._routes, self._shares)
        for step in route:
            yield from [self._calendar.start(self._replica(call.stage).call(call.items)) for call in step]
        self._seconds.append(self._calendar.now - started)

    def _replica(self, stage: str) -> _SimulatedReplica:
        """Choose as Serve's router does: of two random replicas, the one with fewer calls."""
        replicas = self._replicas[stage]
        return min(self._random.sample(replicas, min(len(replicas), 2)), key=lambda each: each.calls)
