"""`python -m load_tests.autoscaling`: a load that comes in steps, and the replicas that follow it.

By default it serves configs/autoscaling.yaml, which shows within minutes on a small machine what otherwise takes half
an hour. data/bench/autoscaling.png is the picture.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from load_tests.locust_process import comparing, load
from load_tests.photos import enlarged_pair
from load_tests.processes import Sample
from load_tests.records import Request, read
from load_tests.results import draw, table
from load_tests.service import RESULTS, ROOT, running_service

CLIENTS = 8
PLAN = (("", 10), ("/match", 40), ("/mediapipe", 40), ("", 30))
"""The phases: the route that is loaded, or none, and seconds."""


@dataclass(frozen=True)
class Phase:
    """A step of the load: the route, seconds, one look per second, and the requests that ended in it."""

    route: str
    seconds: float
    samples: Sequence[Sample]
    requests: Sequence[Request]


def phases_table(phases: Sequence[Phase]) -> Table:
    """For each phase the fewest and the most replicas of each deployment, and what was answered."""
    made = table("replicas", *(f"{phase.route or 'idle'}, {phase.seconds:.0f} s" for phase in phases))
    for name in sorted({name for phase in phases for each in phase.samples for name in each.counts}):
        counts = [[each.counts[name] for each in phase.samples] for phase in phases]
        made.add_row(name, *(" to ".join(dict.fromkeys(map(str, (min(each), max(each))))) for each in counts))
    times = [[each.milliseconds or 0 for each in phase.requests if each.answered] for phase in phases]
    made.add_row("answers/s", *(f"{len(each) / phase.seconds:.1f}" for each, phase in zip(times, phases, strict=True)))
    for share in (50, 95):
        made.add_row(f"p{share} ms", *(f"{np.percentile(each, share):.0f}" if each else "" for each in times))
    made.add_row("refused or failed", *(str(sum(bool(each.problem) for each in phase.requests)) for phase in phases))
    return made


def main(
    config: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="A Serve configuration.")] = (
        ROOT / "configs" / "autoscaling.yaml"
    ),
) -> None:
    """Serve, send, print and draw."""
    phases, pair, records = [], enlarged_pair(), RESULTS / "autoscaling.jsonl"
    with running_service(config) as service:
        for route, length in PLAN:
            with ExitStack() as stack:
                if route:
                    options = comparing(route, pair, RESULTS)
                    stack.enter_context(load(service.address, "FixedRequestUser", CLIENTS, records, *options))
                samples = service.samples(length + 1, 1)
                requests = read(records) if route else []
            begin, end = samples[0].at, samples[-1].at
            within = [each for each in requests if begin <= each.ended < end]
            phases.append(Phase(route, end - begin, samples, within))
    looks = [each for phase in phases for each in phase.samples]
    answers = [each for phase in phases for each in phase.requests if each.answered]
    start, moments = looks[0].at, [each.at - looks[0].at for each in looks]
    dots = ([each.ended - start for each in answers], [each.milliseconds or 0 for each in answers], ".")
    names = sorted({name for each in looks for name in each.counts})
    panels = {name: {"replicas": (moments, [each.counts[name] for each in looks], "-")} for name in names}
    draw(RESULTS / "autoscaling.png", {**panels, "ms": {"answers": dots}})
    Console().print(phases_table(phases))


if __name__ == "__main__":
    typer.run(main)
