"""`python -m load_tests.autoscaling`: show how the number of replicas follows a stepped load (docs/sizing.md)."""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext

import numpy as np
import typer
from rich.console import Console

from load_tests import RESULTS, ROOT
from load_tests.photos import enlarged_pair
from load_tests.processes import Sample
from load_tests.programs import ConfigOption, comparing, load, running_service
from load_tests.records import Request, read
from load_tests.results import draw, table

CLIENTS = 8
PLAN = (("", 10), ("/match", 40), ("/mediapipe", 40), ("", 30))
"""The phases: the route to load (empty for none) and the duration in seconds."""


def phase_figures(samples: Sequence[Sample], requests: Iterable[Request]) -> dict[str, str]:
    """Return each deployment's range of replica counts in a phase, and figures of the requests that ended in it."""
    begin, end, figures = samples[0].at, samples[-1].at, dict[str, str]()
    for name in sorted({name for each in samples for name in each.counts}):
        counts = [each.counts[name] for each in samples]
        figures[name] = " to ".join(dict.fromkeys(map(str, (min(counts), max(counts)))))
    ended = [each for each in requests if begin <= each.ended < end]
    times = [each.milliseconds or 0 for each in ended if each.answered]
    figures["answers/s"] = f"{len(times) / (end - begin):.1f}"
    figures |= {f"p{share} ms": f"{np.percentile(times, share):.0f}" if times else "" for share in (50, 95)}
    return figures | {"refused or failed": str(sum(bool(each.problem) for each in ended))}


def main(config: ConfigOption = ROOT / "configs" / "autoscaling.yaml") -> None:
    """Run the service under the load, and print and plot its replicas and response times."""
    pair, records = enlarged_pair(), RESULTS / "autoscaling.jsonl"
    samples, requests, phases = list[Sample](), list[Request](), list[dict[str, str]]()
    with running_service(config) as service:
        for route, seconds in PLAN:
            options = comparing(route, pair, RESULTS)
            with load(service.address, "FixedRequestUser", CLIENTS, records, *options) if route else nullcontext():
                taken = service.samples(seconds + 1, 1)
                sent = read(records) if route else []
            phases.append(phase_figures(taken, sent))
            samples, requests = samples + taken, requests + sent
    made = table("replicas", *(f"{route or 'idle'}, {seconds} s" for route, seconds in PLAN))
    for name in dict.fromkeys(name for figures in phases for name in figures):
        made.add_row(name, *(figures.get(name, "0") for figures in phases))
    names = sorted({name for each in samples for name in each.counts})
    replicas = {name: [each.counts[name] for each in samples] for name in names}
    draw(RESULTS / "autoscaling.png", samples, replicas, requests)
    Console().print(made)


if __name__ == "__main__":
    typer.run(main)
