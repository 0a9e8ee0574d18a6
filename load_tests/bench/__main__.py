"""`python -m load_tests.bench`: compare this service with its bare pipeline and a plain service, on the same photos.

* bare: a route's networks without Ray and HTTP, first in one process, then in one per core. This is the upper limit.
* plain: facenet-pytorch behind FastAPI, one worker per core.
* service: `facegraph serve configs/serve.yaml` (or `--config`), without the machine's GPUs.

Only one of them runs at a time, because Ray uses several percent of a small machine even when it is idle. Every second
round runs them in reverse order, so that none benefits if the machine becomes slower during the run.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Annotated

import typer

from deployments.address import reserved_port
from load_tests import CONFIG, RESULTS
from load_tests.bench import measurement, report
from load_tests.bench.bare_pipeline import PIPELINES
from load_tests.bench.measurement import Measurement
from load_tests.photos import enlarged_pair
from load_tests.programs import ConfigOption, RunningService, running_program, running_service
from load_tests.results import machine, save, wide_console

PLAIN_MAX_CLIENTS = 8


def main(
    clients: Annotated[str, typer.Option(help="Numbers of concurrent clients, comma-separated.")] = "1,4,16",
    seconds: Annotated[float, typer.Option(min=1, max=60, help="Length of each measurement.")] = 8,
    rounds: Annotated[int, typer.Option(min=1, max=20, help="Number of rounds.")] = 3,
    config: ConfigOption = CONFIG,
) -> None:
    """Measure all of them in each round, and print and save the results."""
    counts, cores = sorted(set(measurement.client_counts(clients))), len(os.sched_getaffinity(0))
    pair, ran_on, console, found = enlarged_pair(), machine(), wide_console(), list[list[Measurement]]()

    def bare() -> Iterator[Measurement]:
        for route in PIPELINES:
            for processes in sorted({1, cores}):
                yield measurement.bare(route, pair, processes, seconds)

    def plain() -> Iterator[Measurement]:
        command, log = ["-m", "uvicorn", "load_tests.bench.plain_service:app"], RESULTS / "plain.log"
        with reserved_port("127.0.0.1") as port:
            command += ["--workers", str(cores), "--port", str(port), "--no-access-log"]
            # Wait for all workers: the first one responds while the others load, and would get every connection.
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
        for each in (each for part in parts for each in part()):
            found[-1].append(each)
            rate = f"{each.numbers['rate']:.2f} answers/s"
            console.print(f"round {number}: {each.what} {each.route}, {each.clients}: {rate}")
        parts.reverse()
        measured = [list(map(asdict, round_)) for round_ in found]
        # Save after every round, so that a failure loses only its own round.
        save("bench", {"machine": ran_on, "config": str(config), "seconds": seconds, "rounds": measured})
    typical = report.over_rounds(found)
    for route in PIPELINES:
        console.print(report.measured(typical, route), "", report.steps(typical, route), "")
    console.print(report.compared(report.ratios(found)))


if __name__ == "__main__":
    typer.run(main)
