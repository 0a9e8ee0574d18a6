"""One measurement: a bare pipeline or a service under a constant number of clients."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import psutil

from facegraph.step_times import median_steps, parse_server_timing, with_derived_steps
from load_tests.locust_process import load
from load_tests.records import Request, answers_between, read
from load_tests.routes import ROUTES
from load_tests.service import RESULTS, ROOT, RunningService, family
from load_tests.usage import cpu_seconds, machine_seconds, memory_mib, spent

What = Literal["bare", "plain", "service", "overload"]
Processes = Callable[[], Sequence[psutil.Process]]

WARM_UP_S = 1.0
LIMIT_S = 120
"""Longest time for networks to load, and for the last answers to arrive."""


class NoAnswerError(Exception):
    """A measurement without a single answer."""


def column(heading: str, form: str) -> dict[str, str]:
    """Metadata of a figure that is a column of a route's table; `form` is its format."""
    return {"heading": heading, "form": form}


@dataclass(frozen=True)
class Measurement:
    """What was measured. Rates, times, CPU and the similarity are those of the answers alone.

    Attributes:
        what: the bare pipeline, the plain service, or this one; ``overload`` is this one with too many clients.
        clients: those that send requests at once; for the bare pipeline, its processes.
        rate: answers per second; those at the edges count by the share that lies within.
        p50, p95, p99: milliseconds of an answer.
        server_cpu, client_cpu: CPU seconds per answer, of the server's processes and of the load generator.
        memory: MiB (PSS) of the server's processes.
        others_cpu: CPU seconds per second of every other process, with what the machine's host took away.
        similarity: median cosine similarity of the two photos.
        replicas: of the service, at the beginning and at the end.
        steps: medians in milliseconds, see `facegraph.step_times`.
    """

    what: What
    route: str
    clients: int
    rate: float = field(metadata=column("answers/s", ".2f"))
    p50: float = field(metadata=column("p50 ms", ".0f"))
    p95: float = field(metadata=column("p95 ms", ".0f"))
    p99: float = field(metadata=column("p99 ms", ".0f"))
    server_cpu: float = field(metadata=column("CPU", ".3f"))
    client_cpu: float = field(metadata=column("client CPU", ".4f"))
    memory: float = field(metadata=column("MiB", ".0f"))
    others_cpu: float = field(metadata=column("other cores", ".2f"))
    similarity: float = field(metadata=column("cosine", ".4f"))
    answers: int = field(metadata=column("answers", "d"))
    refused: int = field(metadata=column("refused", "d"))
    failed: int = field(metadata=column("failed", "d"))
    replicas: tuple[int, int]
    steps: dict[str, float]


@dataclass(frozen=True)
class Stretch:
    """The time that counts, by `time.monotonic`, the CPU seconds spent in it, and the server's MiB at its end."""

    begin: float
    end: float
    server: float
    generator: float
    others: float
    memory: float


def bare(route: str, pair: tuple[Path, Path], processes: int, seconds: float) -> Measurement:
    """The bare pipeline of `route`, in `processes` processes at once."""
    files = [RESULTS / f"bare-{number}.jsonl" for number in range(processes)]
    with ExitStack() as stack:
        running = [stack.enter_context(_bare_process(route, pair, file)) for file in files]
        wait_until(lambda: all(map(read, files)))
        time.sleep(WARM_UP_S)
        stretch = observe(seconds, lambda: running, lambda: [])
    return summed_up("bare", route, processes, read(*files), stretch)


def asked(
    what: What, route: str, pair: tuple[Path, Path], service: RunningService, clients: int, seconds: float
) -> Measurement:
    """A running service that `clients` clients ask to compare the pair, over and over."""
    records, before = RESULTS / "bench.jsonl", service.replicas().total()
    options = ROUTES[route].options(pair)
    with load(service.address, "FixedRequestUser", clients, records, *options) as locust:
        time.sleep(WARM_UP_S)
        stretch = observe(seconds, service.processes, lambda: family(psutil.Process(locust.pid)))
        # The last answers would arrive sooner if no client sent requests any more.
        wait_until(lambda: sum(each.ended > stretch.end for each in read(records)) >= clients)
    return summed_up(what, route, clients, read(records), stretch, (before, service.replicas().total()))


def observe(seconds: float, server: Processes, generator: Processes) -> Stretch:
    """Wait, and see what the server's and the load generator's processes use meanwhile."""
    begin, looks = time.monotonic(), []
    for wait in (seconds, 0):
        looks.append((cpu_seconds(server()), cpu_seconds(generator()), machine_seconds()))
        time.sleep(wait)
    end, (before, after) = time.monotonic(), looks
    mine, theirs = spent(before[0], after[0]), spent(before[1], after[1])
    others = max(0.0, after[2] - before[2] - mine - theirs)
    return Stretch(begin, end, mine, theirs, others, memory_mib(server()))


def summed_up(
    what: What,
    route: str,
    clients: int,
    requests: Sequence[Request],
    stretch: Stretch,
    replicas: tuple[int, int] = (0, 0),
) -> Measurement:
    """The measurement of a stretch of time.

    Raises:
        NoAnswerError: nothing was answered.
    """
    seconds = stretch.end - stretch.begin
    ended = [each for each in requests if stretch.begin <= each.ended < stretch.end]
    refused = sum(each.refused for each in ended)
    failed = sum(bool(each.problem) for each in ended) - refused
    answers = [each for each in ended if each.answered]
    if not answers:
        raise NoAnswerError(
            f"{what} {route}, {clients} clients: no answer in {seconds:.0f} s, {refused} refusals, {failed} failures"
        )
    count = answers_between(requests, stretch.begin, stretch.end)
    p50, p95, p99 = np.percentile([each.milliseconds or 0 for each in answers], [50, 95, 99])
    return Measurement(
        what=what,
        route=route,
        clients=clients,
        answers=len(answers),
        refused=refused,
        failed=failed,
        rate=count / seconds,
        p50=float(p50),
        p95=float(p95),
        p99=float(p99),
        server_cpu=stretch.server / count,
        client_cpu=stretch.generator / count,
        others_cpu=stretch.others / seconds,
        memory=stretch.memory,
        replicas=replicas,
        similarity=float(np.median([each.details["similarity"] for each in answers])),
        steps=median_steps(map(steps_of, answers)),
    )


def steps_of(answer: Request) -> dict[str, float]:
    """Milliseconds of an answer's steps: those of the bare pipeline, or those of the ``Server-Timing`` header."""
    if "total" in answer.details:
        return {name: value for name, value in answer.details.items() if name != "similarity"}
    return with_derived_steps(parse_server_timing(answer.details.get("server_timing", "")), answer.milliseconds or 0)


@contextmanager
def _bare_process(route: str, pair: tuple[Path, Path], records: Path) -> Iterator[psutil.Process]:
    records.unlink(missing_ok=True)
    command = [sys.executable, "-m", "load_tests.bench.bare_pipeline", route, *map(str, pair), str(records)]
    # As Ray sets it for a replica with less than two CPUs.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
        try:
            yield psutil.Process(process.pid)
        finally:
            process.kill()


def wait_until(true: Callable[[], bool]) -> None:
    """Wait until the function returns True; raises `NoAnswerError` after `LIMIT_S`."""
    last = time.monotonic() + LIMIT_S
    while not true():
        if time.monotonic() > last:
            raise NoAnswerError(f"nothing has happened for {LIMIT_S} s")
        time.sleep(0.1)
