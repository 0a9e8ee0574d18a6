"""`python -m load_tests.autoscaling`: a load that comes in steps, and the replicas that follow it.

It starts the service and loads one route for a while, then another, then none. By default it serves
configs/autoscaling.yaml, which shows within minutes on a small machine what otherwise takes half an hour. Every second
is written to data/bench/autoscaling.json, and the picture to data/bench/autoscaling.png.
"""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from load_tests import machine
from load_tests.chart import Line, Panel, draw
from load_tests.locust_process import load
from load_tests.photos import enlarged_pair
from load_tests.records import Request, read
from load_tests.routes import ROUTES
from load_tests.service import RESULTS, ROOT, RunningService, running_service

IDLE = "idle"
"""The phase without load."""


@dataclass(frozen=True)
class Second:
    """What happened between two looks at the service.

    Attributes:
        phase: number of the phase.
        begin, end: times of the looks, in seconds from the start.
        replicas: of each deployment, at the end.
        answers, failures: requests that ended.
        p50, p95: milliseconds of an answer; None without answers.
    """

    phase: int
    begin: float
    end: float
    replicas: Mapping[str, int]
    answers: int
    failures: int
    p50: float | None
    p95: float | None


def second(phase: int, begin: float, end: float, replicas: Mapping[str, int], requests: Sequence[Request]) -> Second:
    """Sum up the requests that ended between two moments."""
    ended = [each for each in requests if begin <= each.ended < end]
    times = [each.milliseconds for each in ended if each.answered]
    p50, p95 = np.percentile(np.array(times, float), [50, 95]).tolist() if times else (None, None)
    return Second(phase, begin, end, replicas, len(times), sum(bool(each.problem) for each in ended), p50, p95)


def run(service: RunningService, plan: Sequence[tuple[str, float]], clients: int) -> list[Second]:
    """Follow `plan`, routes or `IDLE` with their seconds, and look at the service once a second."""
    pair, looks, start = enlarged_pair(), [], time.monotonic()
    files = [RESULTS / f"autoscaling-{number}.jsonl" for number in range(len(plan))]
    for number, (name, length) in enumerate(plan):
        files[number].unlink(missing_ok=True)
        with ExitStack() as stack:
            if name != IDLE:
                options = ROUTES[name].options(pair)
                stack.enter_context(load(service.address, "FixedRequestUser", clients, files[number], *options))
            begin = before = time.monotonic()
            while before < begin + length:
                time.sleep(1)
                now = time.monotonic()
                looks.append((number, before, now, dict(service.replicas())))
                before = now
    seconds = [second(*look, read(files[look[0]])) for look in looks]
    return [Second(**{**asdict(each), "begin": each.begin - start, "end": each.end - start}) for each in seconds]


def table(plan: Sequence[tuple[str, float]], seconds: Sequence[Second]) -> Table:
    """For each phase the fewest and the most replicas of each deployment, and what was answered."""
    made = Table("replicas", box=None, padding=(0, 2, 0, 0))
    phases = [[each for each in seconds if each.phase == number] for number in range(len(plan))]
    for name, length in plan:
        made.add_column(f"{name}, {length:.0f} s", justify="right")
    for name in sorted({name for each in seconds for name in each.replicas}):
        counts = [[each.replicas.get(name, 0) for each in phase] for phase in phases]
        made.add_row(name, *(" to ".join(dict.fromkeys(map(str, (min(each), max(each))))) for each in counts))
    lengths = [phase[-1].end - phase[0].begin for phase in phases]
    rates = [sum(each.answers for each in phase) / length for phase, length in zip(phases, lengths, strict=True)]
    made.add_row("answers/s", *(f"{rate:.1f}" for rate in rates))
    made.add_row("refused or failed", *(str(sum(each.failures for each in phase)) for phase in phases))
    return made


def panels(seconds: Sequence[Second]) -> list[Panel]:
    """Each deployment's replicas over time, and below them rate and response times."""
    moments = [each.end for each in seconds]
    names = sorted({name for each in seconds for name in each.replicas})
    replicas = [
        Panel("replicas", [Line(name, moments, [each.replicas.get(name, 0) for each in seconds])]) for name in names
    ]
    rates = [each.answers / (each.end - each.begin) for each in seconds]
    times = [
        Line("p50", moments, [np.nan if each.p50 is None else each.p50 for each in seconds]),
        Line("p95", moments, [np.nan if each.p95 is None else each.p95 for each in seconds], ":"),
    ]
    return [*replicas, Panel("answers/s", [Line("all clients", moments, rates)]), Panel("ms", times)]


def main(
    config: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="A Serve configuration.")] = (
        ROOT / "configs" / "autoscaling.yaml"
    ),
    plan: Annotated[str, typer.Option(help="Routes, or idle, each with its seconds.")] = (
        "idle:10,match:40,mediapipe:40,idle:30"
    ),
    clients: Annotated[int, typer.Option(min=1, help="Clients that send requests at once.")] = 8,
) -> None:
    """Serve, send, print, draw and write down."""
    steps, ran_on = parse_plan(plan), machine.described()
    RESULTS.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory() as folder,
        running_service(config, RESULTS / "serve.log", GALLERY_URI=f"{folder}/gallery") as service,
    ):
        seconds = run(service, steps, clients)
    written = {"machine": ran_on, "clients": clients, "config": str(config), "plan": steps}
    written["seconds"] = [asdict(each) for each in seconds]
    (RESULTS / "autoscaling.json").write_text(json.dumps(written, indent=2) + "\n", "utf-8")
    loaded = [each for each in seconds if steps[each.phase][0] != IDLE]
    draw([panels(seconds)], "seconds", RESULTS / "autoscaling.png", [(each.begin, each.end) for each in loaded])
    console = Console()
    console.print(table(steps, seconds))
    console.print(f"written: {RESULTS / 'autoscaling.json'}, {RESULTS / 'autoscaling.png'}")


def parse_plan(plan: str) -> list[tuple[str, float]]:
    """Read ``route:seconds`` steps, separated by commas."""
    steps = []
    for part in plan.split(","):
        name, _, length = part.partition(":")
        if name not in (IDLE, *ROUTES) or not (length.isascii() and length.isdigit() and int(length)):
            raise typer.BadParameter(f"{part!r} is not ROUTE:SECONDS; routes are {', '.join(ROUTES)} and {IDLE}")
        steps.append((name, float(length)))
    return steps


if __name__ == "__main__":
    typer.run(main)
