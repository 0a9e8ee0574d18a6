"""`python -m load_tests.autoscaling`: a stepped load and the replicas that follow it (docs/sizing.md)."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from load_tests import RESULTS, ROOT
from load_tests.photos import enlarged_pair
from load_tests.processes import Sample
from load_tests.programs import ConfigOption, comparing, load, running_service
from load_tests.records import Request, read
from load_tests.results import draw, table

CLIENTS = 8
PLAN = (("", 10), ("/match", 40), ("/mediapipe", 40), ("", 30))
"""The phases: the loaded route, or none, and the duration in seconds."""


@dataclass(frozen=True)
class Phase:
    """A step of the load: route, seconds, one sample per second, and the requests that ended in it."""

    route: str
    seconds: float
    samples: Sequence[Sample]
    requests: Sequence[Request]


def phases_table(phases: Sequence[Phase]) -> Table:
    """Tabulate each phase's minimum and maximum replicas per deployment, and its requests."""
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


def main(config: ConfigOption = ROOT / "configs" / "autoscaling.yaml") -> None:
    """Serve, send, print and plot."""
    phases, pair, records = [], enlarged_pair(), RESULTS / "autoscaling.jsonl"
    with running_service(config) as service:
        for route, length in PLAN:
            options = comparing(route, pair, RESULTS)
            sending = load(service.address, "FixedRequestUser", CLIENTS, records, *options) if route else nullcontext()
            with sending:
                samples = service.samples(length + 1, 1)
                requests = read(records) if route else []
            begin, end = samples[0].at, samples[-1].at
            within = [each for each in requests if begin <= each.ended < end]
            phases.append(Phase(route, end - begin, samples, within))
    looks = [each for phase in phases for each in phase.samples]
    names = sorted({name for each in looks for name in each.counts})
    replicas = {name: [each.counts[name] for each in looks] for name in names}
    draw(RESULTS / "autoscaling.png", looks, replicas, [each for phase in phases for each in phase.requests])
    Console().print(phases_table(phases))


if __name__ == "__main__":
    typer.run(main)
