"""`python -m load_tests.prediction`: compares a running service with the prediction of `capacity.simulate`.

It serves configs/serve.yaml (or `--config`) and sends requests to /match with several numbers of clients. The
simulation uses the CPU time per request of each deployment and the cores that other programs left, both measured in the
same run; everything else comes from the configuration and capacity/service_times.toml. The comparison therefore checks
how queues, workers, batches and cores act together, not the times themselves. service_times.toml records the CPU times
that this program prints for one client.

Use configs/simulated.yaml to check batches as on GPUs: its devices take a fixed time and use no core.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
import yaml

from capacity.service_times import service_times
from capacity.simulate import ClosedLoad, simulate
from capacity.system import NodeSize, Place, RouteCall, StageModel, System, Work
from deployments.settings import ReplicaSettings
from load_tests import CONFIG
from load_tests.bench.measurement import Measurement, asked, client_counts
from load_tests.photos import enlarged_pair
from load_tests.programs import ConfigOption, running_service
from load_tests.results import machine, save, table, wide_console

INGRESS, DETECTOR, NETWORKS = "ingress", "detector-mtcnn", ("liveness-crmnet", "embedder-arcface")
DEPLOYMENTS = (INGRESS, DETECTOR, *NETWORKS)
PASS = (RouteCall(INGRESS, 1),)
MATCH = (PASS, (RouteCall(DETECTOR, 2),), tuple(RouteCall(name, 2) for name in NETWORKS), PASS)


def configured(path: Path) -> dict[str, StageModel]:
    """Return the stages of /match from a configuration, without their CPU times."""
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


def cores_left(measured: Measurement) -> float:
    """Return the number of cores that were not used by programs other than `DEPLOYMENTS`."""
    own = sum(measured.replica_cpu[name] for name in DEPLOYMENTS) * measured.numbers["rate"]
    return len(os.sched_getaffinity(0)) - measured.busy_cores + own


def compared(measured: Measurement, given: Mapping[str, StageModel]) -> dict[str, tuple[float, float]]:
    """Compare a measurement with the prediction for a service whose stages are `given`.

    Returns:
        ``rate`` in responses per second, ``p50`` and ``p95`` in milliseconds: each as measured and as predicted.
    """
    times, cpu = service_times(), measured.replica_cpu
    stages = {name: replace(model, core=Work(0, (cpu[name] - model.loop) / 2)) for name, model in given.items()}
    stages[INGRESS] = replace(times.deployment(INGRESS), loop=cpu[INGRESS] / 2)
    # A simulated device belongs to one stage.
    places = {name: (Place(0, number),) for number, name in enumerate(stages)}
    system = System((NodeSize(cores_left(measured), len(stages)),), stages, places, times.variation)
    predicted = simulate(system, {MATCH: 1}, ClosedLoad(measured.clients))
    figures = {"rate": predicted.rate, **{f"p{share}": 1000 * predicted.percentile(share) for share in (50, 95)}}
    return {name: (measured.numbers[name], expected) for name, expected in figures.items()}


def main(
    clients: Annotated[str, typer.Option(help="Numbers of concurrent clients, comma-separated.")] = "1,4,16",
    seconds: Annotated[float, typer.Option(min=1, max=120, help="Length of each measurement.")] = 20,
    rounds: Annotated[int, typer.Option(min=1, max=20, help="Number of rounds.")] = 1,
    config: ConfigOption = CONFIG,
) -> None:
    """Measure the service, predict the same figures, and print and save both."""
    counts, pair, stages, ran_on = client_counts(clients), enlarged_pair(), configured(config), machine()
    with running_service(config) as service:
        found = [asked("service", "/match", pair, service, count, seconds) for count in counts * rounds]
    made, results = table("/match", "measured", "predicted", "deviation"), []
    for each in found:
        figures = compared(each, stages)
        for name, (was, expected) in figures.items():
            row = f"{was:.1f}", f"{expected:.1f}", f"{expected / was - 1:+.0%}"
            made.add_row(f"{each.clients} clients, {name}", *row)
        cores = cores_left(each)
        results.append({"clients": each.clients, "cpu": each.replica_cpu, "cores": cores, **figures})
    used = table("CPU time per request, ms", *(f"{each.clients} clients" for each in found))
    for name in DEPLOYMENTS:
        used.add_row(name, *(f"{1000 * each.replica_cpu[name]:.1f}" for each in found))
    used.add_row("cores left by other programs", *(f"{cores_left(each):.2f}" for each in found))
    wide_console().print(made, "", used)
    save("prediction", {"machine": ran_on, "config": str(config), "seconds": seconds, "results": results})


if __name__ == "__main__":
    typer.run(main)
