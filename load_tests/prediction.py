"""`python -m load_tests.prediction`: compares a running service with the prediction of `capacity.simulate`.

It serves configs/serve.yaml (or `--config`) and sends /match from several numbers of clients. The simulation gets the
CPU time per request of each deployment and the cores that other programs left, both from the same run; everything else
is from the configuration and capacity/service_times.toml. So it checks how queues, workers, batches and cores act
together, not the times themselves. With one client, the CPU times are those in service_times.toml.

configs/simulated.yaml, whose devices take a fixed time without using a core, checks batches as they are on GPUs.
"""

import json
import os
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.console import Console

from capacity.service_times import service_times
from capacity.simulate import ClosedLoad, Prediction, simulate
from capacity.system import NodeSize, Place, RouteCall, StageModel, System, Work
from deployments.settings import ReplicaSettings
from load_tests import CONFIG, RESULTS
from load_tests.bench.measurement import RECORDS, Measurement, client_counts, summed_up, under_load
from load_tests.photos import enlarged_pair
from load_tests.processes import Sample
from load_tests.programs import ConfigOption, running_service
from load_tests.records import read
from load_tests.results import machine, table

INGRESS, DETECTOR, NETWORKS = "ingress", "detector-mtcnn", ("liveness-crmnet", "embedder-arcface")
PASS = (RouteCall(INGRESS, 1),)
MATCH = (PASS, (RouteCall(DETECTOR, 2),), tuple(RouteCall(name, 2) for name in NETWORKS), PASS)


def configured(path: Path) -> dict[str, StageModel]:
    """Return the stages of /match as a configuration has them, without their work on a core."""
    [application, *_] = yaml.safe_load(path.read_text("utf-8"))["applications"]
    args, device = application["args"], None
    if args.get("device") == "simulated":
        device = Work(args["simulation"]["call_ms"] / 1000, args["simulation"]["item_ms"] / 1000)
    settings = {each["name"]: each.get("user_config", {}) for each in application["deployments"]}
    found = {}
    for name in (DETECTOR, *NETWORKS):
        workers = args["stages"][name.partition("-")[2]].get("workers", 1)
        largest = ReplicaSettings(**settings[name]).largest_batch.gpu if device else 1
        stage = service_times().deployment("stage")
        found[name] = replace(stage, gpu=device, workers=workers, largest=largest, decodes=name == DETECTOR)
    return found


@dataclass(frozen=True)
class Compared:
    """One measurement and its prediction.

    Attributes:
        cpu: CPU seconds per response, by deployment.
        cores: cores that programs other than these deployments left.
    """

    measured: Measurement
    cpu: dict[str, float]
    cores: float
    predicted: Prediction

    @property
    def figures(self) -> dict[str, tuple[float, float]]:
        """Measured and predicted: responses per second, and milliseconds."""
        percentiles = {f"p{p}": (self.measured.numbers[f"p{p}"], 1000 * self.predicted.percentile(p)) for p in (50, 95)}
        return {"rate": (self.measured.numbers["rate"], self.predicted.rate), **percentiles}


def compared(measured: Measurement, first: Sample, last: Sample, given: Mapping[str, StageModel]) -> Compared:
    """Predict what was measured between two samples of the service, whose stages are `given`."""
    seconds = last.at - first.at
    spent, responses = defaultdict[str, float](float), measured.numbers["rate"] * seconds
    for process, name in last.replicas.items():
        spent[name] += last.cpu[process] - first.cpu.get(process, 0)
    cpu = {name: spent[name] / responses for name in (INGRESS, DETECTOR, *NETWORKS)}
    others = (last.machine_cpu - first.machine_cpu) / seconds - sum(cpu.values()) * measured.numbers["rate"]
    cores = len(os.sched_getaffinity(0)) - others
    times = service_times()
    stages = {name: replace(model, core=Work(0, (cpu[name] - model.loop) / 2)) for name, model in given.items()}
    stages[INGRESS] = replace(times.deployment(INGRESS), loop=cpu[INGRESS] / 2)
    # A simulated device belongs to one stage.
    places = {name: (Place(0, number),) for number, name in enumerate(stages)}
    system = System((NodeSize(cores, len(stages)),), stages, places, times.variation)
    return Compared(measured, cpu, cores, simulate(system, {MATCH: 1}, ClosedLoad(measured.clients)))


def main(
    clients: Annotated[str, typer.Option(help="Numbers of clients.")] = "1,4,16",
    seconds: Annotated[float, typer.Option(min=1, max=120, help="Length of each measurement.")] = 20,
    rounds: Annotated[int, typer.Option(min=1, max=20, help="Number of rounds.")] = 1,
    config: ConfigOption = CONFIG,
) -> None:
    """Measure, predict, print and save."""
    counts, pair, found, stages = client_counts(clients), enlarged_pair(), list[Compared](), configured(config)
    with running_service(config) as service:
        for count in counts * rounds:
            first, last = under_load("/match", pair, service, count, seconds)
            measured = summed_up("service", "/match", count, read(RECORDS), first, last)
            found.append(compared(measured, first, last, stages))
    console = Console(width=None if sys.stdout.isatty() else 160)
    made = table("/match", "measured", "predicted", "deviation")
    for each in found:
        for name, (was, expected) in each.figures.items():
            made.add_row(
                f"{each.measured.clients} clients, {name}",
                f"{was:.1f}",
                f"{expected:.1f}",
                f"{expected / was - 1:+.0%}",
            )
    used = table("CPU time per request, ms", *(f"{each.measured.clients} clients" for each in found))
    for name in (INGRESS, DETECTOR, *NETWORKS):
        used.add_row(name, *(f"{1000 * each.cpu[name]:.1f}" for each in found))
    used.add_row("cores left by other programs", *(f"{each.cores:.2f}" for each in found))
    console.print(made, "", used)
    results = [
        {"clients": each.measured.clients, "cpu": each.cpu, "cores": each.cores, **each.figures} for each in found
    ]
    written = {"machine": machine(), "config": str(config), "seconds": seconds, "results": results}
    (RESULTS / "prediction.json").write_text(json.dumps(written, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    typer.run(main)
