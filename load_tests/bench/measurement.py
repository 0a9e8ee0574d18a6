"""One measurement: a bare pipeline or a service under a constant number of clients."""

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil
import typer

from facegraph.medians import medians_by_name
from load_tests import RESULTS
from load_tests.processes import MEMORY, Sample, cpu_times, sample
from load_tests.programs import RunningService, comparing, load, running_program
from load_tests.records import Request, answers_between, read

RECORDS = RESULTS / "bench.jsonl"
WARM_UP_S = 1.0
LIMIT_S = 120
"""Maximum time for the last responses to arrive, in seconds."""
READING_S = 2.0
"""Time between readings of CPU times, in seconds."""


@dataclass(frozen=True)
class Measurement:
    """The results of one measurement. Rates, times, CPU and similarity cover only successful requests.

    Attributes:
        what: ``bare``, ``plain`` or ``service``.
        clients: number of concurrent clients; for the bare pipeline, its processes.
        numbers: ``rate``, responses per second, where a response at the edge of the measurement counts in proportion to
            its time inside; ``p50`` and ``p95``, milliseconds of a response; ``cpu``, CPU seconds of the server per
            response; ``memory``, MiB of the server (PSS); ``similarity``, the median cosine similarity of the photos;
            ``replicas``, the number of replicas at the end.
        counts: ``answers``, ``refused`` and ``failed``.
        steps: medians in milliseconds, see `facegraph.step_times`.
        replica_cpu: CPU seconds per response by deployment.
        busy_cores: cores that all programs on the machine kept busy.
    """

    what: str
    route: str
    clients: int
    numbers: dict[str, float]
    counts: dict[str, int]
    steps: dict[str, float]
    replica_cpu: dict[str, float]
    busy_cores: float


def client_counts(text: str) -> list[int]:
    """Parse numbers of clients, separated by commas.

    Raises:
        BadParameter: one of them is not a positive whole number.
    """
    if not re.fullmatch(r"[1-9]\d*(,[1-9]\d*)*", text):
        raise typer.BadParameter(f"{text!r} is not a comma-separated list of positive whole numbers")
    return [int(count) for count in text.split(",")]


def bare(route: str, pair: tuple[Path, Path], processes: int, seconds: float) -> Measurement:
    """Run the bare pipeline of `route` in `processes` concurrent processes."""
    RECORDS.unlink(missing_ok=True)
    command = ["-m", "load_tests.bench.bare_pipeline", route, *map(str, pair), str(RECORDS), str(processes)]

    def ready() -> bool:
        return len({each.details["process"] for each in read(RECORDS)}) == processes

    # One thread, which Ray also sets for a replica with less than two CPUs.
    with running_program(command, RESULTS / "bare.log", ready, OMP_NUM_THREADS="1") as process:
        first, last = edge_samples(process, seconds)
    return summed_up("bare", route, processes, read(RECORDS), first, last)


def asked(
    what: str, route: str, pair: Iterable[Path], service: RunningService, clients: int, seconds: float
) -> Measurement:
    """Let `clients` clients repeatedly send the pair to a running service, which compares it."""
    with load(service.address, "FixedRequestUser", clients, RECORDS, *comparing(route, pair, RESULTS)):
        first, last = edge_samples(service.process, seconds)
        # Keep up the load: the last responses would arrive sooner if the clients stopped sending requests.
        while sum(each.ended > last.at for each in read(RECORDS)) < clients and time.monotonic() < last.at + LIMIT_S:
            time.sleep(0.1)
    return summed_up(what, route, clients, read(RECORDS), first, last)


def summed_up(
    what: str, route: str, clients: int, requests: Sequence[Request], first: Sample, last: Sample
) -> Measurement:
    """Sum up the time between two samples of the server's processes; raises RuntimeError if no request succeeded."""
    seconds = last.at - first.at
    ended = [each for each in requests if first.at <= each.ended < last.at]
    refused = sum(each.refused for each in ended)
    failed = sum(bool(each.problem) for each in ended) - refused
    answers = [each for each in ended if each.answered]
    if not answers:
        raise RuntimeError(f"{what} {route}, {clients} clients: {refused} refusals, {failed} failures, no answer")
    count, times = answers_between(requests, first.at, last.at), [each.milliseconds or 0 for each in answers]
    # CPU time that a process used between its last reading and its exit is not counted.
    cpu = {process: (spent - first.cpu.get(process, 0)) / count for process, spent in last.cpu.items()}
    replicas = {**first.replicas, **last.replicas}
    replica_cpu = dict.fromkeys(replicas.values(), 0.0)
    for process, deployment in replicas.items():
        replica_cpu[deployment] += cpu.get(process, 0.0)
    numbers = {
        "rate": count / seconds,
        **{f"p{share}": float(np.percentile(times, share)) for share in (50, 95)},
        "cpu": sum(cpu.values()),
        "memory": last.used[MEMORY],
        "similarity": float(np.median([each.details["similarity"] for each in answers])),
        "replicas": len(last.replicas),
    }
    counts = {"answers": len(answers), "refused": refused, "failed": failed}
    steps = medians_by_name(each.details.get("steps", {}) for each in answers)
    busy_cores = (last.machine_cpu - first.machine_cpu) / seconds
    return Measurement(what, route, clients, numbers, counts, steps, replica_cpu, busy_cores)


def edge_samples(process: psutil.Process, seconds: float) -> tuple[Sample, Sample]:
    """Sample at the beginning and at the end. The second sample has the last CPU times of processes that exited."""
    time.sleep(WARM_UP_S)
    first, spent = sample(process), dict[int, float]()
    while (left := first.at + seconds - time.monotonic()) > 0:
        time.sleep(min(left, READING_S))
        spent |= cpu_times(process)
    last = sample(process)
    return first, replace(last, cpu=spent | dict(last.cpu))
