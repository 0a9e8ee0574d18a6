"""`python -m load_tests.bench`: this service, its bare pipeline and a plain service, in one run on the same photos.

* bare: the pipeline of a route in plain processes without Ray and HTTP (`load_tests.bench.bare`), in one process and in
  as many as there are cores: the limit.
* plain: facenet-pytorch behind FastAPI (`load_tests.bench.plain`), a worker a core.
* service: `facegraph serve configs/serve.yaml` (or `--config`), without the machine's GPUs.

Only one of them is there at a time: the service is started anew, about 15 s, whenever its turn comes, since Ray
takes some per cent of a small machine even when it is idle. Every other round goes backwards, so that a machine
that gets slower favours none of them. The first round measures every number of clients; the others measure one
client and the number that was best. In the last one the service is then asked by too many clients.

Clients, server and bare processes share the machine; the load generator's CPU time is told, and counted out of one
ratio. "other cores" of the table is what the rest of the machine was busy with: it should be near zero.
The tables are medians over rounds; every measurement stands in data/bench/bench.json beside the machine,
and data/bench/bench.png is the picture.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from load_tests import machine
from load_tests.bench import measure, report
from load_tests.bench.measure import Measurement, NoAnswerError, What
from load_tests.bench.plot import draw
from load_tests.bench.ratios import PLAIN_ROUTE, plain_route, ratios
from load_tests.bench.rounds import best, over_rounds
from load_tests.pair import FOLDER, prepare
from load_tests.routes import CONFIG, ROUTES, configured
from load_tests.server import Server, plain_served, served

PLAIN_MOST_CLIENTS = 8


class Bench:
    """A benchmark as it goes on.

    Args:
        routes: names of the routes that are measured.
        clients: numbers of clients.
        seconds: length of each measurement.
        config: of the service.
        console: is told each measurement when it is there.
    """

    def __init__(
        self, routes: Sequence[str], clients: Sequence[int], seconds: float, config: Path, console: Console
    ) -> None:
        self.rounds: list[list[Measurement]] = []
        self._routes, self._clients, self._seconds, self._config = routes, clients, seconds, config
        self._console = console
        self._pair = prepare()
        self._bodies = {name: FOLDER / f"{name}.json" for name in ROUTES}
        for name, path in self._bodies.items():
            path.write_bytes(ROUTES[name].body(self._pair))

    def run_round(self, parts: Sequence[Callable[[], Iterator[Measurement]]]) -> None:
        """Measure each of `parts` once."""
        self.rounds.append([])
        for entry in (entry for part in parts for entry in part()):
            self.rounds[-1].append(entry)
            self._console.print(
                f"round {len(self.rounds)}: {entry.route}, {report.named(entry)}: "
                f"{entry.rate:.2f} answers/s, p50 {entry.p50:.0f} ms"
            )

    def bare(self) -> Iterator[Measurement]:
        """The bare pipelines."""
        for route in self._routes:
            for processes in sorted({1, machine.cores()}):
                yield measure.bare(route, self._pair, processes, self._seconds)

    def plain(self, min_face: int) -> Iterator[Measurement]:
        """The plain service, which looks for faces from `min_face` pixels on."""
        clients = [count for count in self._clients if count <= PLAIN_MOST_CLIENTS] or [min(self._clients)]
        with plain_served(machine.cores(), FOLDER / "plain.log", MIN_FACE=str(min_face)) as server:
            for count in self._counts("plain", PLAIN_ROUTE, clients):
                yield self._asked("plain", PLAIN_ROUTE, server, count)

    def service(self, overload: bool) -> Iterator[Measurement]:
        """This service; with `overload`, its first route is asked by too many clients in the end."""
        variables = {"CUDA_VISIBLE_DEVICES": "", "GALLERY_URI": str(FOLDER / "gallery")}
        with served(str(self._config), FOLDER / "serve.log", **variables) as server:
            for route in self._routes:
                for count in self._counts("service", route, self._clients):
                    yield self._asked("service", route, server, count)
            if overload:
                yield self._asked("overload", self._routes[0], server, self._too_many(self._routes[0]))

    def _counts(self, what: What, route: str, clients: Sequence[int]) -> Sequence[int]:
        """All `clients` in the first round, then the fewest and those that were best."""
        most = best(self.rounds[0], what, route)
        if len(self.rounds) == 1 or most is None:
            return clients
        return sorted({min(clients), most.clients})

    def _too_many(self, route: str) -> int:
        """Four times the clients that were best, and more than a replica of the ingress takes in at once."""
        most = best(self.rounds[0], "service", route)
        return max(4 * most.clients if most else 0, configured().limits.max_requests * 3 // 2)

    def _asked(self, what: What, route: str, server: Server, clients: int) -> Measurement:
        return measure.asked(what, route, ROUTES[route], self._bodies[route], server, clients, self._seconds)


def main(
    routes: Annotated[str, typer.Option(help="Routes to measure.")] = ",".join(ROUTES),
    clients: Annotated[str, typer.Option(help="Numbers of clients.")] = "1,2,4,8,16",
    seconds: Annotated[float, typer.Option(min=1, max=60, help="Length of each measurement.")] = 8,
    rounds: Annotated[int, typer.Option(min=1, max=20, help="How often what is compared is measured.")] = 3,
    config: Annotated[Path, typer.Option(exists=True, help="The configuration of the service.")] = CONFIG,
    plain: Annotated[bool, typer.Option(help="Whether the plain service is measured.")] = True,
    plain_min_face: Annotated[
        int, typer.Option(min=20, help="Side of the smallest face that the plain service looks for, in pixels.")
    ] = 20,
) -> None:
    """Measure, print, draw and write down."""
    chosen, counts = _names(routes), _numbers(clients)
    ran_on = machine.described()
    # A file or a pipe is as wide as the widest table.
    console = Console(width=None if sys.stdout.isatty() else 160)
    bench = Bench(chosen, counts, seconds, config, console)
    for number in range(rounds):
        parts: list[Callable[[], Iterator[Measurement]]] = [bench.bare, partial(bench.service, number == rounds - 1)]
        if plain and any(map(plain_route, chosen)):
            parts.insert(1, partial(bench.plain, plain_min_face))
        try:
            bench.run_round(parts if number % 2 == 0 else parts[::-1])
        except NoAnswerError as error:
            console.print(f"[red]{error}[/]: a longer --seconds may show some")
            raise typer.Exit(1) from error
        found = ratios(bench.rounds, machine.cores())
        written = {
            "machine": ran_on,
            "config": str(config),
            "seconds": seconds,
            "plain_min_face": plain_min_face,
            "rounds": [[asdict(entry) for entry in entries] for entries in bench.rounds],
            "ratios": [asdict(ratio) for ratio in found],
        }
        # After every round, so that what went wrong in a later one costs that one alone.
        (FOLDER / "bench.json").write_text(json.dumps(written, indent=2) + "\n", "utf-8")
    typical = over_rounds(bench.rounds)
    for route in chosen:
        console.print(report.measured(typical, route), report.steps(typical, route))
    console.print(report.compared(found))
    for entry in typical:
        peak = best(bench.rounds[-1], "service", entry.route)
        if entry.what == "overload" and peak:
            console.print(report.overloaded(entry, peak))
    draw(typical, chosen, FOLDER / "bench.png")
    console.print(f"written: {FOLDER / 'bench.json'}, {FOLDER / 'bench.png'}")


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in ROUTES]:
        raise typer.BadParameter(f"no route is called {', '.join(unknown)}; there are {', '.join(ROUTES)}")
    return names


def _numbers(text: str) -> list[int]:
    try:
        numbers = sorted({int(number) for number in text.split(",")})
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no list of numbers") from None
    if numbers[0] < 1:
        raise typer.BadParameter("there is at least one client")
    return numbers


if __name__ == "__main__":
    typer.run(main)
