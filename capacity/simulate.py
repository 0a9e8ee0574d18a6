"""Predict rate, response times and utilisation of a system under load."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from capacity.events import BatchQueue, Calendar, Process, Processor, Signal, all_of
from capacity.system import Mix, NodeSize, Place, StageModel, System

WARM_UP = 0.2
"""Share of the requests that are left out at the start, while queues fill."""


@dataclass(frozen=True, slots=True)
class OpenLoad:
    """Requests arrive independently of each other (Poisson), so many per second."""

    rate: float


@dataclass(frozen=True, slots=True)
class ClosedLoad:
    """So many clients send their next request once they have the response to the last."""

    clients: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the model predicts.

    Attributes:
        rate: responses per second.
        seconds: response times, in the order of the responses.
        in_progress: requests in progress, on average.
        cores: utilisation of each node's cores.
        gpus: utilisation of each node's GPUs.
        stages: cores that a replica of each stage keeps busy, on average.
    """

    rate: float
    seconds: Sequence[float]
    in_progress: float
    cores: tuple[float, ...]
    gpus: tuple[tuple[float, ...], ...]
    stages: Mapping[str, float]

    def percentile(self, percent: float) -> float:
        """Return a percentile of the response times, in seconds."""
        return float(np.percentile(self.seconds, percent))


def simulate(
    system: System, mix: Mix, load: OpenLoad | ClosedLoad, *, requests: int = 4000, seed: int = 0
) -> Prediction:
    """Simulate until so many requests have been answered. The same seed gives the same prediction.

    Nothing is refused: under more load than the system carries, queues grow, and `rate` is what it carries.
    """
    return _Simulation(system, mix, seed).run(load, requests)


class _Node:
    """A node's processors."""

    def __init__(self, calendar: Calendar, size: NodeSize) -> None:
        self.cores = Processor(calendar, size.cores)
        self.gpus = [Processor(calendar, 1) for _ in range(size.gpus)]


class _SimulatedReplica:
    """A replica: its event loop, its workers and, in a detector on a GPU, the thread that runs the networks."""

    def __init__(self, calendar: Calendar, model: StageModel, node: _Node, place: Place, noise: "_Noise") -> None:
        self.calls, self.core_seconds = 0, 0.0
        self._calendar, self._model, self._cores, self._noise = calendar, model, node.cores, noise
        self._gpu = None if place.gpu is None else node.gpus[place.gpu]
        self._loop = BatchQueue(calendar, 1, 1, lambda _: self._on_core(model.loop))
        self._workers = BatchQueue(calendar, model.workers, 1 if model.decodes else model.largest, self._work)
        self._networks = BatchQueue(calendar, 1, model.largest, self._on_gpu)

    def call(self, items: int) -> Process:
        self.calls += 1
        yield self._calendar.pause(self._model.hop)
        yield self._loop.submit(1)
        yield all_of([self._workers.submit(part) for part in self._model.parts(items)])
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
            seconds *= self._noise.factor()
            yield self._cores.run(seconds)
            self.core_seconds += seconds

    def _on_gpu(self, items: int) -> Process:
        assert self._model.gpu
        assert self._gpu
        yield self._gpu.run(self._model.gpu.of(items))


class _Noise:
    """Draws factors with mean 1 from a gamma distribution."""

    def __init__(self, variation: float, seed: int) -> None:
        self._variance = variation**2
        self._random = Random(f"{seed} noise")  # noqa: S311 - not a secret

    def factor(self) -> float:
        return self._random.gammavariate(1 / self._variance, self._variance) if self._variance else 1.0


class _Simulation:
    def __init__(self, system: System, mix: Mix, seed: int) -> None:
        self._calendar = Calendar()
        self._random = Random(seed)  # noqa: S311 - not a secret
        self._routes, self._shares = list(mix), list(mix.values())
        self._nodes = [_Node(self._calendar, size) for size in system.nodes]
        noise = _Noise(system.variation, seed)
        self._replicas = {
            name: [
                _SimulatedReplica(self._calendar, system.stages[name], self._nodes[place.node], place, noise)
                for place in places
            ]
            for name, places in system.places.items()
        }
        self._seconds: list[float] = []
        self._in_progress, self._waited, self._since = 0, 0.0, 0.0
        self._answered, self._signals = 0, dict[int, Signal]()

    def run(self, load: OpenLoad | ClosedLoad, requests: int) -> Prediction:
        for process in self._sources(load):
            self._calendar.start(process)
        self._wait_for(int(requests * WARM_UP))
        self._forget()
        start = self._calendar.now
        self._wait_for(requests)
        passed = self._calendar.now - start
        self._count(0)
        replicas = self._replicas.items()
        return Prediction(
            rate=len(self._seconds) / passed,
            seconds=self._seconds,
            in_progress=self._waited / passed,
            cores=tuple(node.cores.busy / passed / node.cores.capacity for node in self._nodes),
            gpus=tuple(tuple(gpu.busy / passed for gpu in node.gpus) for node in self._nodes),
            stages={name: sum(each.core_seconds for each in some) / len(some) / passed for name, some in replicas},
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
        self._count(1)
        [route] = self._random.choices(self._routes, self._shares)
        for step in route:
            calls = (self._replica(call.stage).call(call.items) for call in step)
            yield all_of([self._calendar.start(call) for call in calls])
        self._count(-1)
        self._seconds.append(self._calendar.now - started)
        self._answered += 1
        if self._answered in self._signals:
            self._signals[self._answered].fire()

    def _replica(self, stage: str) -> _SimulatedReplica:
        """Choose as Serve's router does: the one with fewer calls of two random replicas."""
        replicas = self._replicas[stage]
        return min(self._random.sample(replicas, min(len(replicas), 2)), key=lambda each: each.calls)

    def _count(self, more: int) -> None:
        """Count requests in progress, and sum up the time that they wait."""
        self._waited += self._in_progress * (self._calendar.now - self._since)
        self._in_progress, self._since = self._in_progress + more, self._calendar.now

    def _wait_for(self, answers: int) -> None:
        if answers:
            self._calendar.run_until(self._signals.setdefault(answers, Signal()))

    def _forget(self) -> None:
        """Forget what was measured so far."""
        self._count(0)
        self._waited = 0.0
        self._seconds.clear()
        for node in self._nodes:
            for processor in (node.cores, *node.gpus):
                processor.forget()
        for replicas in self._replicas.values():
            for each in replicas:
                each.core_seconds = 0.0
