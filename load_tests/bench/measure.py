"""One measurement: a pipeline or a service under a constant number of clients."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from facegraph.step_times import medians
from load_tests.routes import Route
from load_tests.server import Server
from load_tests.watch import Watched, watch

What = Literal["bare", "plain", "service", "overload"]


class NoAnswerError(Exception):
    """A measurement without a single answer."""


@dataclass(frozen=True)
class Measurement:
    """What was measured.

    Attributes:
        what: the bare pipeline, the plain service, or this one; ``overload`` is this one with too many clients.
        route: its name in `load_tests.routes`.
        clients: that asked at once; of the bare pipeline, its processes.
        seconds: length of the measurement.
        answers, refused, failed: requests that came to an end in it. All that follows is of the answers alone.
        rate: answers a second, with shares of those at the edges of the measurement.
        p50, p95, p99: milliseconds of an answer.
        server_cpu, client_cpu: CPU seconds an answer, of the server's processes and of the load generator.
        others_cpu: CPU seconds a second of every other process of the machine, with what its host took away.
        memory: of the server's processes in MiB, what they share divided among them.
        replicas: of the service at the beginning and at the end.
        similarity: of the two photos; the median.
        steps: medians in milliseconds, see `facegraph.step_times`.
    """

    what: What
    route: str
    clients: int
    seconds: float
    answers: int
    refused: int
    failed: int
    rate: float
    p50: float
    p95: float
    p99: float
    server_cpu: float
    client_cpu: float
    others_cpu: float
    memory: float
    replicas: tuple[int, int]
    similarity: float
    steps: dict[str, float]


def bare(name: str, pair: tuple[Path, Path], processes: int, seconds: float) -> Measurement:
    """The bare pipeline of the route called `name`, in `processes` processes at once."""
    command = ["-m", "load_tests.bench.bare", name, *map(str, pair)]
    # Ray gives a replica of less than two CPUs one thread for its mathematics too.
    return summed_up("bare", name, processes, watch([command] * processes, seconds, OMP_NUM_THREADS="1"))


def asked(what: What, name: str, route: Route, body: Path, server: Server, clients: int, seconds: float) -> Measurement:
    """A running service, asked by `clients` clients at once with `body`."""
    command = ["-m", "load_tests.client", route.path, str(body), str(clients), route.similarity, server.address]
    before = _replicas(server)
    watched = watch([command], seconds, server.processes)
    return summed_up(what, name, clients, watched, (before, _replicas(server)))


def summed_up(what: What, name: str, clients: int, watched: Watched, replicas: tuple[int, int] = (0, 0)) -> Measurement:
    """A measurement from what was seen.

    Raises:
        NoAnswerError: nothing was answered.
    """
    kinds = Counter(answer.kind for answer in watched.arrived)
    answered = [answer for answer in watched.arrived if answer.kind == "answered"]
    if not answered:
        raise NoAnswerError(
            f"{what} {name}, {clients} clients: no answer in {watched.seconds:g} s, "
            f"{kinds['refused']} refusals, {kinds['failed']} failures"
        )
    p50, p95, p99 = np.percentile([answer.milliseconds for answer in answered], [50, 95, 99])
    return Measurement(
        what=what,
        route=name,
        clients=clients,
        seconds=watched.seconds,
        answers=len(answered),
        refused=kinds["refused"],
        failed=kinds["failed"],
        rate=watched.answered / watched.seconds,
        p50=float(p50),
        p95=float(p95),
        p99=float(p99),
        server_cpu=watched.server_s / watched.answered,
        client_cpu=watched.workers_s / watched.answered,
        others_cpu=(watched.others_s + watched.stolen_s) / watched.seconds,
        memory=watched.memory_mib,
        replicas=replicas,
        similarity=float(np.median([answer.similarity for answer in answered if answer.similarity is not None])),
        steps=medians(answer.steps for answer in answered),
    )


def _replicas(server: Server) -> int:
    return len(server.processes("ServeReplica:"))
