"""`python -m load_tests.autoscaling`: a load that comes in steps, and the replicas that follow it.

The service is started from a configuration, asked for a while what one route needs, then another, and left
alone. By default every stage is a deployment of its own with windows of a few seconds, so that a small machine
shows within minutes what takes half an hour otherwise; ``--most 0 --no-short`` takes the configuration as it is.

Every second stands in data/bench/autoscaling.json, and data/bench/autoscaling.png is the picture. Clients
and service share the machine, whose GPUs are left out.
"""

import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.table import Table

from load_tests import machine
from load_tests.asking import asking
from load_tests.autoscaling.plot import draw
from load_tests.autoscaling.scaling import apart, quick, replicas
from load_tests.autoscaling.timeline import IDLE, Look, Phase, Second, seconds, within
from load_tests.pair import FOLDER, prepare
from load_tests.routes import CONFIG, ROUTES
from load_tests.server import Server, served
from load_tests.work import Record, sleep_until

DOWNSCALE_S = 10
"""Long enough that the picture shows the load and not the queue that wanders between stages."""

Plan = Sequence[tuple[str, float]]
"""Names of routes, or `IDLE`, and for how many seconds."""


def run(server: Server, plan: Plan, clients: int) -> tuple[list[Phase], list[Second]]:
    """Go through `plan` and look once a second."""
    pair, start = prepare(), time.monotonic()
    looks = [Look(0, dict(replicas(server)))]
    phases: list[Phase] = []
    arrived: list[list[Record]] = []
    for name, length in plan:
        begin = looks[-1].at
        with ExitStack() as held:
            if name != IDLE:
                body = ROUTES[name].body(pair)
                arrived.append(held.enter_context(asking(server, ROUTES[name], body, clients)))
            while looks[-1].at < begin + length:
                sleep_until(start + looks[-1].at + 1)
                looks.append(Look(time.monotonic() - start, dict(replicas(server))))
        phases.append(Phase(name, begin, looks[-1].at))
    return phases, seconds(looks, chain.from_iterable(arrived), start)


def table(phases: Sequence[Phase], entries: Sequence[Second]) -> Table:
    """For each phase the fewest and the most replicas of a deployment, and what was answered."""
    made = Table("replicas", box=None, padding=(0, 2, 0, 0))
    parts = [within(phase, entries) for phase in phases]
    for phase in phases:
        made.add_column(f"{phase.name}, {phase.end - phase.begin:.0f} s", justify="right")
    for name in sorted({name for entry in entries for name in entry.replicas}):
        counts = [[entry.replicas.get(name, 0) for entry in part] for part in parts]
        made.add_row(name, *(" to ".join(dict.fromkeys(map(str, (min(each), max(each))))) for each in counts))
    made.add_row()
    made.add_row("answers/s", *(f"{sum(entry.answers for entry in part) / len(part):.1f}" for part in parts))
    made.add_row("refused or failed", *(f"{sum(entry.others for entry in part)}" for part in parts))
    return made


def main(
    config: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="A Serve configuration.")] = CONFIG,
    plan: Annotated[str, typer.Option(help="Routes, or idle, each with its seconds.")] = (
        "idle:10,match:40,mediapipe:40,idle:30"
    ),
    clients: Annotated[int, typer.Option(min=1, help="Clients that ask at once.")] = 8,
    most: Annotated[
        int, typer.Option(min=0, help="Most replicas of a stage, every stage apart; 0: as the configuration has it.")
    ] = 3,
    short: Annotated[bool, typer.Option(help="Windows of a few seconds.")] = True,
) -> None:
    """Serve, ask, print, draw and write down."""
    steps = _steps(plan)
    made: Any = yaml.safe_load(config.read_text("utf-8"))
    made = apart(made, most) if most else made
    made = quick(made, DOWNSCALE_S) if short else made
    FOLDER.mkdir(parents=True, exist_ok=True)
    path, ran_on = FOLDER / "autoscaling.yaml", machine.described()
    path.write_text(yaml.safe_dump(made, sort_keys=False), "utf-8")
    variables = {"CUDA_VISIBLE_DEVICES": "", "GALLERY_URI": str(FOLDER / "gallery")}
    with served(str(path), FOLDER / "serve.log", **variables) as server:
        phases, entries = run(server, steps, clients)
    written = {
        "machine": ran_on,
        "clients": clients,
        "config": made,
        "phases": [asdict(phase) for phase in phases],
        "seconds": [asdict(entry) for entry in entries],
    }
    (FOLDER / "autoscaling.json").write_text(json.dumps(written, indent=2) + "\n", "utf-8")
    draw(phases, entries, clients, FOLDER / "autoscaling.png")
    console = Console()
    console.print(table(phases, entries))
    console.print(f"written: {FOLDER / 'autoscaling.json'}, {FOLDER / 'autoscaling.png'}")


def _steps(plan: str) -> Plan:
    steps = []
    for part in plan.split(","):
        name, _, length = part.partition(":")
        if name not in (IDLE, *ROUTES) or not (length.isascii() and length.isdigit() and int(length)):
            raise typer.BadParameter(f"{part!r} is not ROUTE:SECONDS; there are {', '.join(ROUTES)} and {IDLE}")
        steps.append((name, float(length)))
    return steps


if __name__ == "__main__":
    typer.run(main)
