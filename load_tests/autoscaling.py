"""`python -m load_tests.autoscaling`: a load that comes in steps, and the replicas that follow it.

It starts the service and loads one route for a while, then another, then none. By default it serves
configs/autoscaling.yaml, which shows within minutes on a small machine what otherwise takes half an hour.
data/bench/autoscaling.png is the picture.
"""

from collections.abc import Mapping, Sequence
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
from load_tests.results import Line, draw, table
from load_tests.service import RESULTS, ROOT, running_service

CLIENTS = 8
PLAN = (("", 10), ("/match", 40), ("/mediapipe", 40), ("", 30))
"""The phases: the route that is loaded, or none, and seconds."""


@dataclass(frozen=True)
class Phase:
    """A step of the load: the route, one look per second, and the requests that ended in it."""

    route: str
    samples: Sequence[Sample]
    requests: Sequence[Request]

    @property
    def seconds(self) -> float:
        """From the first look to the last."""
        return self.samples[-1].at - self.samples[0].at


def phases_table(phases: Sequence[Phase]) -> Table:
    """For each phase the fewest and the most replicas of each deployment, and what was answered."""
    made = table("replicas", *(f"{phase.route or 'idle'}, {phase.seconds:.0f} s" for phase in phases))
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


def panels(phases: Sequence[Phase], start: float) -> dict[str, Mapping[str, Line]]:
    """The replicas of each deployment, and the time of every answer, over the seconds from `start`."""
    samples = [each for phase in phases for each in phase.samples]
    answers = [each for phase in phases for each in phase.requests if each.answered]
    moments = [each.at - start for each in samples]
    names = sorted({name for each in samples for name in each.counts})
    dots = ([each.ended - start for each in answers], [each.milliseconds or 0 for each in answers], ".")
    replicas = {name: {"replicas": (moments, [each.counts[name] for each in samples], "-")} for name in names}
    return {**replicas, "ms": {"answers": dots}}


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
            within = [each for each in requests if samples[0].at <= each.ended < samples[-1].at]
            phases.append(Phase(route, samples, within))
    start = phases[0].samples[0].at
    loaded = [(each.samples[0].at - start, each.samples[-1].at - start) for each in phases if each.route]
    draw(RESULTS / "autoscaling.png", "seconds", panels(phases, start), loaded)
    Console().print(phases_table(phases), f"written: {RESULTS / 'autoscaling.png'}")


if __name__ == "__main__":
    typer.run(main)
