"""One measurement: a bare pipeline or a service under a constant number of clients."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from facegraph.step_times import median_steps, parse_server_timing, with_derived_steps
from load_tests.locust_process import comparing, load
from load_tests.processes import Sample, sample
from load_tests.records import Request, answers_between, read
from load_tests.service import RESULTS, ROOT, RunningService

RECORDS = RESULTS / "bench.jsonl"
WARM_UP_S = 1.0
LIMIT_S = 120
"""Longest time for networks to load, and for the last answers to arrive."""


@dataclass(frozen=True)
class Measurement:
    """What was measured. Rates, times, CPU and the similarity are those of the answers alone.

    Attributes:
        what: ``bare``, ``plain`` or ``service``.
        clients: those that send requests at once; for the bare pipeline, its processes.
        rate: answers per second; those at the edges count by the share that lies within.
        p50, p95: milliseconds of an answer.
        cpu: CPU seconds per answer, of the server's processes.
        memory: MiB (PSS) of the server's processes.
        other_cores: CPU seconds per second of everything else: clients, other programs, other machines of the host.
        similarity: median cosine similarity of the two photos.
        replicas: of the service, at the end.
        steps: medians in milliseconds, see `facegraph.step_times`.
    """

    what: str
    route: str
    clients: int
    rate: float
    p50: float
    p95: float
    cpu: float
    memory: float
    other_cores: float
    similarity: float
    answers: int
    refused: int
    failed: int
    replicas: int
    steps: dict[str, float]


def bare(route: str, pair: tuple[Path, Path], processes: int, seconds: float) -> Measurement:
    """The bare pipeline of `route`, in `processes` processes at once."""
    RECORDS.unlink(missing_ok=True)
    command = [sys.executable, "-m", "load_tests.bench.bare_pipeline", route, *map(str, pair), str(RECORDS)]
    # One thread, as Ray sets it for a replica with less than two CPUs.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen([*command, str(processes)], cwd=ROOT, env=environment, start_new_session=True) as process:
        try:
            wait_until(lambda: len({each.details["process"] for each in read(RECORDS)}) == processes)
            first, last = _looks(psutil.Process(process.pid), seconds)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    return summed_up("bare", route, processes, read(RECORDS), first, last)


def asked(
    what: str, route: str, pair: tuple[Path, Path], service: RunningService, clients: int, seconds: float
) -> Measurement:
    """A running service that `clients` clients ask to compare the pair, over and over."""
    with load(service.address, "FixedRequestUser", clients, RECORDS, *comparing(route, pair, RESULTS)):
        first, last = _looks(service.process, seconds)
        # The last answers would arrive sooner if no client sent requests any more.
        wait_until(lambda: sum(each.ended > last.at for each in read(RECORDS)) >= clients)
    return summed_up(what, route, clients, read(RECORDS), first, last)


def summed_up(
    what: str, route: str, clients: int, requests: Sequence[Request], first: Sample, last: Sample
) -> Measurement:
    """The measurement between two looks at the server's processes; raises RuntimeError if nothing was answered."""
    seconds = last.at - first.at
    ended = [each for each in requests if first.at <= each.ended < last.at]
    refused = sum(each.refused for each in ended)
    failed = sum(bool(each.problem) for each in ended) - refused
    answers = [each for each in ended if each.answered]
    if not answers:
        raise RuntimeError(f"{what} {route}, {clients} clients: {refused} refusals, {failed} failures, no answer")
    count, cpu = answers_between(requests, first.at, last.at), last.cpu_since(first)
    p50, p95 = np.percentile([each.milliseconds or 0 for each in answers], [50, 95])
    return Measurement(
        *(what, route, clients),
        rate=count / seconds,
        p50=float(p50),
        p95=float(p95),
        cpu=cpu / count,
        memory=last.memory,
        other_cores=max(0.0, last.machine_cpu - first.machine_cpu - cpu) / seconds,
        similarity=float(np.median([each.details["similarity"] for each in answers])),
        answers=len(answers),
        refused=refused,
        failed=failed,
        replicas=len(last.replicas),
        steps=median_steps(map(steps_of, answers)),
    )


def steps_of(answer: Request) -> dict[str, float]:
    """Milliseconds of an answer's steps: those of the bare pipeline, or those of the ``Server-Timing`` header."""
    timing = parse_server_timing(answer.details.get("server_timing", ""))
    return answer.details.get("steps") or with_derived_steps(timing, answer.milliseconds or 0)


def wait_until(true: Callable[[], bool]) -> None:
    """Wait until the function returns True; raises RuntimeError after `LIMIT_S`."""
    last = time.monotonic() + LIMIT_S
    while not true():
        if time.monotonic() > last:
            raise RuntimeError(f"nothing has happened for {LIMIT_S} s")
        time.sleep(0.1)


def _looks(process: psutil.Process, seconds: float) -> tuple[Sample, Sample]:
    time.sleep(WARM_UP_S)
    first = sample(process)
    time.sleep(seconds)
    return first, sample(process)
