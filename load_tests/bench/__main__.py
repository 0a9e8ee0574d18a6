"""`python -m load_tests.bench`: this service, its bare pipeline and a plain service, in one run on the same photos.

* bare: a route's networks in plain processes without Ray and HTTP, in one process and in one per core: the limit.
* plain: facenet-pytorch behind FastAPI, one worker per core.
* service: `facegraph serve configs/serve.yaml` (or `--config`), without the machine's GPUs.

Only one of them runs at a time, because Ray takes some per cent of a small machine even when it is idle. Every other
round runs backwards, so that a machine that becomes slower favours none of them.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import chain
from typing import Annotated

import typer
from rich.console import Console

from load_tests import CONFIG, RESULTS
from load_tests.bench import measurement, report
from load_tests.bench.bare_pipeline import PIPELINES
from load_tests.bench.measurement import Measurement
from load_tests.photos import enlarged_pair
from load_tests.programs import ConfigOption, RunningService, held_port, running_program, running_service
from load_tests.results import machine

PLAIN_MAX_CLIENTS = 8


def main(
    clients: Annotated[str, typer.Option(help="Numbers of clients.")] = "1,4,16",
    seconds: Annotated[float, typer.Option(min=1, max=60, help="Length of each measurement.")] = 8,
    rounds: Annotated[int, typer.Option(min=1, max=20, help="Number of rounds.")] = 3,
    config: ConfigOption = CONFIG,
) -> None:
    """Measure, print and save."""
    counts, cores = sorted(set(measurement.client_counts(clients))), len(os.sched_getaffinity(0))
    pair, ran_on = enlarged_pair(), machine()
    # A file or a pipe is as wide as the widest table.
    console, found = Console(width=None if sys.stdout.isatty() else 160), list[list[Measurement]]()

    def bare() -> Iterator[Measurement]:
        for route in PIPELINES:
            for processes in sorted({1, cores}):
                yield measurement.bare(route, pair, processes, seconds)

    def plain() -> Iterator[Measurement]:
        command, log = ["-m", "uvicorn", "load_tests.bench.plain_service:app"], RESULTS / "plain.log"
        with held_port() as port:
            command += ["--workers", str(cores), "--port", str(port), "--no-access-log"]
            # The first worker responds while the others load, and would get every connection.
            with running_program(command, log, lambda: log.read_text().count("startup complete") == cores) as process:
                server = RunningService(f"http://127.0.0.1:{port}", process)
                for count in [each for each in counts if each <= PLAIN_MAX_CLIENTS] or counts[:1]:
                    yield measurement.asked("plain", "/compare", pair, server, count, seconds)

    def service() -> Iterator[Measurement]:
        with running_service(config) as service:
            for route in PIPELINES:
                for count in counts:
                    yield measurement.asked("service", route, pair, service, count, seconds)

    parts: list[Callable[[], Iterator[Measurement]]] = [bare, plain, service]
    for number in range(1, rounds + 1):
        found.append([])
        for each in chain.from_iterable(part() for part in parts):
            found[-1].append(each)
            console.print(
                f"round {number}: {each.what} {each.route}, {each.clients}: {each.numbers['rate']:.2f} answers/s"
            )
        parts.reverse()
        written = {"machine": ran_on, "config": str(config), "seconds": seconds}
        written["rounds"] = [list(map(asdict, round_)) for round_ in found]
        # After every round, so that a failure costs only its own round.
        (RESULTS / "bench.json").write_text(json.dumps(written, indent=2) + "\n", "utf-8")
    typical = report.over_rounds(found)
    for route in PIPELINES:
        console.print(report.measured(typical, route), "", report.steps(typical, route), "")
    console.print(report.compared(report.ratios(found)))


if __name__ == "__main__":
    typer.run(main)
