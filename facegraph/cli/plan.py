"""`facegraph plan`: the replicas and nodes needed for a request rate."""

import math
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
import yaml

from capacity.configuration import PlannedApplication
from capacity.plan import CapacityPlan, plan_capacity
from capacity.service_times import service_times
from capacity.simulate import OpenLoad, Prediction, simulate
from capacity.system import CapacityError, NodeSize
from deployments.config import check_config, read_config
from facegraph.cli.config import config_errors
from facegraph.cli.output import CommandError, command_errors, escaped, make_table, print_line, print_table
from project.root import ROOT

CARRIED = 0.95
"""Share of the requested rate that a simulation must reach. Arrivals are random, so their rate varies a little."""
MADE_BY = "# Made by `facegraph plan"
"""First words of a configuration that this command wrote."""
NODE_CONFIG = ROOT / "configs" / "node.yaml"


def plan_command(
    rate: Annotated[float, typer.Option("--rate", metavar="REQUESTS", help="Requests per second at the peak.")],
    mix: Annotated[str, typer.Option("--mix", metavar="ROUTE=SHARE,...", help="Shares of the routes.")] = "match=1",
    node: Annotated[str, typer.Option("--node", metavar="cpus=N,gpus=N", help="Size of a node.")] = "cpus=16,gpus=0",
    utilisation: Annotated[
        float, typer.Option("--utilisation", min=0.05, max=0.95, help="Maximum utilisation of a replica.")
    ] = 0.7,
    config: Annotated[
        Path, typer.Option("--config", exists=True, dir_okay=False, help="The configuration to start from.")
    ] = NODE_CONFIG,
    output: Annotated[Path, typer.Option("--output", dir_okay=False, help="The configuration to write.")] = Path(
        "plan.yaml"
    ),
) -> None:
    """Calculate the replicas and nodes needed for a request rate, simulate them, and write their configuration.

    Routes are match, compare, mediapipe, verify, search and enrol. Their times are for photos of 1,024 pixels with
    one face each; docs/sizing.md says where they come from and how far to trust the prediction.
    """
    if output.exists() and not output.read_bytes().startswith(MADE_BY.encode()):
        raise CommandError(f"{output} exists and was not written by this command: name another file with --output")
    if not 0 < rate < math.inf:
        raise CommandError(f"--rate is {rate:g}; it must be finite and greater than 0")
    shares, size, times = _figures("--mix", mix), _node_size(node), service_times()
    if not (total := sum(shares.values())):
        raise CommandError("--mix needs a share greater than 0")
    wanted = {name: share / total for name, share in shares.items() if share}
    with config_errors(config):
        document = read_config(config)
        [args, *_] = check_config(document)
    with command_errors(CapacityError):
        application = PlannedApplication(document, args, wanted, times, size.gpus > 0)
        plan = plan_capacity(
            application.demands(),
            application.mix,
            rate,
            size,
            utilisation=utilisation,
            background_cores=times.background_cores,
            variation=times.variation,
        )
    prediction = simulate(plan.system, application.mix, OpenLoad(rate))
    made = application.configuration(plan)
    check_config(made)
    header = f"{MADE_BY} {shlex.join(sys.argv[2:])}`. Number of nodes: {plan.nodes}.\n"
    output.write_text(header + yaml.safe_dump(made, sort_keys=False, width=120), "utf-8")
    _show(plan, prediction, application)
    print_line(f"written to {escaped(str(output))}")


def _figures(option: str, text: str) -> dict[str, float]:
    """Parse ``name=number,...``."""
    figures: dict[str, float] = {}
    for entry in text.split(","):
        name, _, number = entry.partition("=")
        try:
            figures[name.strip()] = float(number)
        except ValueError:
            raise CommandError(f"{option}: {entry} is not NAME=NUMBER") from None
    if any(not 0 <= number < float("inf") for number in figures.values()):
        raise CommandError(f"{option}: {text} has a number that is negative or not finite")
    return figures


def _node_size(text: str) -> NodeSize:
    sizes = _figures("--node", text)
    if unknown := sizes.keys() - {"cpus", "gpus"}:
        raise CommandError(f"--node has cpus and gpus, not {', '.join(sorted(unknown))}")
    if not (gpus := sizes.get("gpus", 0.0)).is_integer():
        raise CommandError(f"--node: {gpus:g} is not a whole number of GPUs")
    return NodeSize(sizes.get("cpus", 0), int(gpus))


def _show(plan: CapacityPlan, prediction: Prediction, application: PlannedApplication) -> None:
    table = make_table("deployment", "replicas", "workers", "cpus", "gpus", "utilisation")
    for name, planned in plan.deployments.items():
        figures = (f"{planned.cpus:g}", f"{planned.gpus:g}", f"{planned.utilisation:.0%}")
        table.add_row(name, str(planned.replicas), str(planned.workers), *figures)
    print_table(table)
    [(first, limit), *_] = plan.limits.items()
    print_line(f"nodes: {plan.nodes}")
    print_line(f"saturated first: {first}, at {limit:.3g} requests per second")
    cores, gpus = max(prediction.cores), max((each for node in prediction.gpus for each in node), default=None)
    carried = "carried" if prediction.rate >= CARRIED * plan.rate else f"[red]only {prediction.rate:.3g} per second[/]"
    print_line(
        f"simulated: {carried}, p50 {1000 * prediction.percentile(50):.0f} ms, "
        f"p95 {1000 * prediction.percentile(95):.0f} ms, busiest node's cores {cores:.0%}"
        + (f", busiest GPU {gpus:.0%}" if gpus is not None else "")
    )
    if assumed := application.assumed():
        print_line(f"[yellow]assumed[/], not measured: the times of {', '.join(assumed)}")
