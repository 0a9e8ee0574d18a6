"""`python -m load_tests.bench`: this service, its bare pipeline and a plain service, in one run on the same photos.

* bare: a route's networks in plain processes without Ray and HTTP (`load_tests.bench.bare_pipeline`), in one process
  and in as many as there are cores: the limit.
* plain: facenet-pytorch behind FastAPI (`load_tests.bench.plain_service`), one worker per core.
* service: `facegraph serve configs/serve.yaml` (or `--config`), without the machine's GPUs.

Only one of them runs at a time, because Ray takes some per cent of a small machine even when it is idle. Every other
round runs backwards, so that a machine that becomes slower favours none of them. The first round measures every number
of clients; the others measure one client and the number that was best. At the end, too many clients load the service.

Clients, server and bare processes share the machine; "client CPU" is the load generator's share, and "other cores" is
what the rest of the machine was busy with: it should be near zero. The tables are medians over rounds;
data/bench/bench.json has every measurement, and data/bench/bench.png is the picture.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from load_tests import machine
from load_tests.bench import measurement, report
from load_tests.bench.comparison import PLAIN_ROUTE, best, over_rounds, plain_route, ratios
from load_tests.bench.measurement import Measurement, NoAnswerError, What
from load_tests.chart import draw
from load_tests.photos import enlarged_pair
from load_tests.routes import ROUTES
from load_tests.service import CONFIG, RESULTS, free_port, running_program, running_service

PLAIN_MOST_CLIENTS = 8
OVERLOAD_CLIENTS = 96
"""More than the default configuration's ingress admits (64)."""


@dataclass
class Bench:
    """A benchmark in progress: what it measures, and the rounds so far."""

    routes: Sequence[str]
    clients: Sequence[int]
    seconds: float
    config: Path
    console: Console
    pair: tuple[Path, Path] = field(default_factory=enlarged_pair)
    rounds: list[list[Measurement]] = field(default_factory=list)

    def run_round(self, parts: Sequence[Callable[[], Iterator[Measurement]]]) -> None:
        """Measure each of `parts` once."""
        self.rounds.append([])
        for each in (each for part in parts for each in part()):
            self.rounds[-1].append(each)
            found = f"{each.rate:.2f} answers/s, p50 {each.p50:.0f} ms"
            self.console.print(f"round {len(self.rounds)}: {each.route}, {report.named(each)}: {found}")

    def bare(self) -> Iterator[Measurement]:
        """The bare pipelines."""
        for route in self.routes:
            for processes in sorted({1, machine.cores()}):
                yield measurement.bare(route, self.pair, processes, self.seconds)

    def plain(self) -> Iterator[Measurement]:
        """The plain service."""
        clients = [count for count in self.clients if count <= PLAIN_MOST_CLIENTS] or [min(self.clients)]
        app, port = "load_tests.bench.plain_service:app", free_port()
        command = ["-m", "uvicorn", app, "--workers", str(machine.cores()), "--port", str(port), "--no-access-log"]
        log = RESULTS / "plain.log"
        with running_program(command, port, log, {}) as service:
            # The first worker answers while the others load, and would get every connection.
            measurement.wait_until(lambda: log.read_text().count("Application startup complete") == machine.cores())
            for count in self._counts("plain", PLAIN_ROUTE, clients):
                yield measurement.asked("plain", PLAIN_ROUTE, self.pair, service, count, self.seconds)

    def service(self, overload: bool) -> Iterator[Measurement]:
        """This service; with `overload`, too many clients use its first route in the end."""
        with running_service(self.config) as service:
            for route in self.routes:
                for count in self._counts("service", route, self.clients):
                    yield measurement.asked("service", route, self.pair, service, count, self.seconds)
            if overload:
                most = best(self.rounds[0], "service", self.routes[0])
                count = max(4 * most.clients if most else 0, OVERLOAD_CLIENTS)
                yield measurement.asked("overload", self.routes[0], self.pair, service, count, self.seconds)

    def _counts(self, what: What, route: str, clients: Sequence[int]) -> Sequence[int]:
        """All `clients` in the first round, later the fewest and those that were best."""
        most = best(self.rounds[0], what, route)
        return clients if len(self.rounds) == 1 or most is None else sorted({min(clients), most.clients})


def main(
    routes: Annotated[str, typer.Option(help="Routes to measure.")] = ",".join(ROUTES),
    clients: Annotated[str, typer.Option(help="Numbers of clients.")] = "1,2,4,8,16",
    seconds: Annotated[float, typer.Option(min=1, max=60, help="Length of each measurement.")] = 8,
    rounds: Annotated[int, typer.Option(min=1, max=20, help="Number of rounds.")] = 3,
    config: Annotated[Path, typer.Option(exists=True, help="The configuration of the service.")] = CONFIG,
    plain: Annotated[bool, typer.Option(help="Measure the plain service, too.")] = True,
) -> None:
    """Measure, print, draw and write down."""
    chosen, counts, ran_on = _names(routes), _numbers(clients), machine.described()
    # A file or a pipe is as wide as the widest table.
    console = Console(width=None if sys.stdout.isatty() else 160)
    bench = Bench(chosen, counts, seconds, config, console)
    for number in range(rounds):
        parts: list[Callable[[], Iterator[Measurement]]] = [bench.bare, partial(bench.service, number == rounds - 1)]
        if plain and any(map(plain_route, chosen)):
            parts.insert(1, bench.plain)
        try:
            bench.run_round(parts if number % 2 == 0 else parts[::-1])
        except NoAnswerError as error:
            console.print(f"[red]{error}[/]: a longer --seconds may show some")
            raise typer.Exit(1) from error
        found = ratios(bench.rounds)
        entries = [list(map(asdict, round_)) for round_ in bench.rounds]
        settings = {"machine": ran_on, "config": str(config), "seconds": seconds}
        written = {**settings, "rounds": entries, "ratios": found}
        # After every round, so that a failure costs only its own round.
        (RESULTS / "bench.json").write_text(json.dumps(written, indent=2) + "\n", "utf-8")
    typical = over_rounds(bench.rounds)
    for route in chosen:
        console.print(report.measured(typical, route), report.steps(typical, route))
    console.print(report.compared(found))
    draw([report.panels(typical, route) for route in chosen], "clients", RESULTS / "bench.png")
    console.print(f"written: {RESULTS / 'bench.json'}, {RESULTS / 'bench.png'}")


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in ROUTES]:
        raise typer.BadParameter(f"no route is called {', '.join(unknown)}; there are {', '.join(ROUTES)}")
    return names


def _numbers(text: str) -> list[int]:
    try:
        numbers = sorted({int(number) for number in text.split(",")})
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a list of numbers") from None
    if numbers[0] < 1:
        raise typer.BadParameter("at least one client is needed")
    return numbers


if __name__ == "__main__":
    typer.run(main)
