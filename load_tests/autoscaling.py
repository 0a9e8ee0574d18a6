"""`python -m load_tests.autoscaling`: a load that comes in steps, and the replicas that follow it.

It starts the service and loads one route for a while, then another, then none. By default it serves
configs/autoscaling.yaml, which shows within minutes on a small machine what otherwise takes half an hour.
data/bench/autoscaling.json has the replicas at every second, and data/bench/autoscaling.png is the picture.
"""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
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
from load_tests.samples import Sample, samples_for
from load_tests.service import RESULTS, ROOT, RunningService, running_service

IDLE = "idle"
"""The phase without load."""


@dataclass(frozen=True)
class Phase:
    """A step of the load: the route's name or `IDLE`, one look per second, and the requests that ended in it."""

    name: str
    samples: Sequence[Sample]
    requests: Sequence[Request]

    @property
    def seconds(self) -> float:
        """From the first look to the last."""
        return self.samples[-1].at - self.samples[0].at


def run(service: RunningService, plan: Sequence[tuple[str, int]], clients: int) -> list[Phase]:
    """Follow `plan`: routes or `IDLE`, and their seconds."""
    pair, phases, records = enlarged_pair(), [], RESULTS / "autoscaling.jsonl"
    for name, length in plan:
        with ExitStack() as stack:
            if name != IDLE:
                options = ROUTES[name].options(pair)
                stack.enter_context(load(service.address, "FixedRequestUser", clients, records, *options))
            samples = list(samples_for(length + 1, 1, service))
            requests = read(records) if name != IDLE else []
        within = [each for each in requests if samples[0].at <= each.ended < samples[-1].at]
        phases.append(Phase(name, samples, within))
    return phases


def table(phases: Sequence[Phase]) -> Table:
    """For each phase the fewest and the most replicas of each deployment, and what was answered."""
    made = Table("replicas", box=None, padding=(0, 2, 0, 0))
    for phase in phases:
        made.add_column(f"{phase.name}, {phase.seconds:.0f} s", justify="right")
    for name in sorted({name for phase in phases for each in phase.samples for name in each.counts}):
        counts = [[each.counts[name] for each in phase.samples] for phase in phases]
        made.add_row(name, *(" to ".join(dict.fromkeys(map(str, (min(each), max(each))))) for each in counts))
    times = [[each.milliseconds or 0 for each in phase.requests if each.answered] for phase in phases]
    rates = [len(answers) / phase.seconds for answers, phase in zip(times, phases, strict=True)]
    made.add_row("answers/s", *(f"{rate:.1f}" for rate in rates))
    for share in (50, 95):
        made.add_row(f"p{share} ms", *(f"{np.percentile(answers, share):.0f}" if answers else "" for answers in times))
    made.add_row("refused or failed", *(str(sum(bool(each.problem) for each in phase.requests)) for phase in phases))
    return made


def panels(phases: Sequence[Phase], start: float) -> list[Panel]:
    """Each deployment's replicas, and the time of every answer, over the seconds from `start`."""
    samples = [each for phase in phases for each in phase.samples]
    answers = [each for phase in phases for each in phase.requests if each.answered]
    moments = [each.at - start for each in samples]
    names = sorted({name for each in samples for name in each.counts})
    dots = Line("answers", [each.ended - start for each in answers], [each.milliseconds or 0 for each in answers], ".")
    replicas = [Panel("replicas", [Line(name, moments, [each.counts[name] for each in samples])]) for name in names]
    return [*replicas, Panel("ms", [dots])]


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
    steps, ran_on, console = parse_plan(plan), machine.described(), Console()
    with running_service(config) as service:
        phases = run(service, steps, clients)
    written = {"machine": ran_on, "clients": clients, "config": str(config), "phases": list(map(asdict, phases))}
    (RESULTS / "autoscaling.json").write_text(json.dumps(written, indent=2) + "\n", "utf-8")
    start = phases[0].samples[0].at
    loaded = [(each.samples[0].at - start, each.samples[-1].at - start) for each in phases if each.name != IDLE]
    draw([panels(phases, start)], "seconds", RESULTS / "autoscaling.png", loaded)
    console.print(table(phases))
    console.print(f"written: {RESULTS / 'autoscaling.json'}, {RESULTS / 'autoscaling.png'}")


def parse_plan(plan: str) -> list[tuple[str, int]]:
    """Read ``route:seconds`` steps, separated by commas."""
    steps = [(name, length) for name, _, length in (part.partition(":") for part in plan.split(","))]
    for name, length in steps:
        if name not in (IDLE, *ROUTES) or not (length.isascii() and length.isdigit() and int(length)):
            raise typer.BadParameter(f"{plan!r} is not ROUTE:SECONDS,…; routes are {', '.join(ROUTES)} and {IDLE}")
    return [(name, int(length)) for name, length in steps]


if __name__ == "__main__":
    typer.run(main)
