"""`facegraph bench`: a short, bounded measurement of a running service."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from facegraph.cli.load import Load, Measured, measure
from facegraph.cli.options import DEFAULT_URL, ApiKeyOption, JsonOption
from facegraph.cli.output import command_errors, escaped, print_json, print_line, stderr, stdout
from facegraph.cli.service_client import service_errors
from facegraph.client import LivenessPolicy
from facegraph.step_times import STEPS, medians

PhotoArgument = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Of one person.")]


def bench_command(
    photo: PhotoArgument,
    other: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Of the same person, or another.")],
    clients: Annotated[int, typer.Option("--clients", min=1, max=256, help="Requests under way at once.")] = 4,
    seconds: Annotated[float, typer.Option("--seconds", min=1, max=300, help="How long.")] = 10,
    detector: Annotated[str | None, typer.Option("--detector", metavar="ROLE", help="Default: the service's.")] = None,
    embedder: Annotated[str | None, typer.Option("--embedder", metavar="ROLE", help="Default: the service's.")] = None,
    liveness: Annotated[LivenessPolicy, typer.Option("--liveness", help="Whether liveness is asked, too.")] = "off",
    # Not by a variable: nobody should load a service of others by leaving an option out.
    url: Annotated[str, typer.Option("--url", help="What is loaded.")] = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two photos again and again, and tell how many answers came, how fast, and where the time went.

    It loads whatever --url names, as heavily as --clients says, and whoever else uses that service has to wait.
    Nothing is enrolled. The exit status is 1 if nothing was answered.
    """
    stderr.print(f"loading {escaped(url)} with {clients} clients for {seconds:g} s", highlight=False)
    options = {"detector": detector, "embedder": embedder, "liveness": liveness}
    load = Load(photo, other, {name: value for name, value in options.items() if value is not None})
    with command_errors(ValueError), service_errors():
        measured = asyncio.run(measure(load, url, api_key, clients, seconds))
    if as_json:
        print_json(_summary(measured))
    else:
        _show(measured)


def _summary(measured: Measured) -> dict[str, object]:
    return {
        "seconds": measured.seconds,
        "answers": len(measured.answers),
        "answers_per_s": measured.rate,
        "p50_ms": measured.percentile(50),
        "p95_ms": measured.percentile(95),
        "p99_ms": measured.percentile(99),
        "errors": dict(measured.errors),
        "steps_ms": medians(measured.answers),
    }


def _show(measured: Measured) -> None:
    print_line(f"{len(measured.answers)} answers in {measured.seconds:.1f} s: {measured.rate:.2f} a second")
    if measured.answers:
        percentiles = ", ".join(f"p{percent} {measured.percentile(percent):.0f} ms" for percent in (50, 95, 99))
        print_line(percentiles)
    for code, count in measured.errors.most_common():
        print_line(f"[yellow]{count}[/] {escaped(code)}")
    table = Table("where the time went, in medians", box=None, padding=(0, 2, 0, 0))
    table.add_column("ms", justify="right")
    found = medians(measured.answers)
    for name, label in STEPS.items():
        if name in found:
            table.add_row(label, f"{found[name]:.1f}")
    stdout.print(table)
