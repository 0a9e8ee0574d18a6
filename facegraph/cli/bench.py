"""`facegraph bench`: a short measurement of a running service."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from facegraph.cli.load_generator import LoadResult, generate_load
from facegraph.cli.options import DEFAULT_URL, ApiKeyOption, JsonOption
from facegraph.cli.output import escaped, print_json, print_line, print_table, quantity, stderr
from facegraph.cli.service_client import service_client
from facegraph.client import LivenessPolicy
from facegraph.client.schemas import given
from facegraph.medians import medians_by_name
from facegraph.step_times import STEPS

PERCENTILES = (50, 95, 99)


def bench_command(
    photo: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A photo of one person.")],
    other: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The photo to compare it with.")],
    clients: Annotated[int, typer.Option("--clients", min=1, max=256, help="Number of concurrent requests.")] = 4,
    seconds: Annotated[float, typer.Option("--seconds", min=1, max=300, help="Duration.")] = 10,
    detector: Annotated[
        str | None, typer.Option("--detector", metavar="ROLE", help="The detector. Default: the service's.")
    ] = None,
    embedder: Annotated[
        str | None, typer.Option("--embedder", metavar="ROLE", help="The embedder. Default: the service's.")
    ] = None,
    liveness: Annotated[LivenessPolicy, typer.Option("--liveness", help="Liveness policy of the requests.")] = "off",
    # No environment variable, so that omitting the option never puts load on another service.
    url: Annotated[str, typer.Option("--url", help="URL of the service to load.")] = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two photos repeatedly, and print the rate, the response times, and where the time went.

    This puts real load on the service at --url, and other clients have to wait. Nothing is enrolled. The exit status
    is 1 if the first request fails.
    """
    stderr.print(f"measuring {escaped(url)} with {quantity(clients, 'client')} for {seconds:g} s", highlight=False)
    options = given(locals(), ["detector", "embedder", "liveness"])
    # The first request is not counted. If it fails, the command fails with its error.
    with service_client(url, api_key, retries=0) as client:
        client.verify(photo, other, **options)
    result = asyncio.run(generate_load((photo, other), options, url, api_key, clients, seconds))
    if as_json:
        print_json(_summary(result))
    else:
        _show(result)


def _summary(result: LoadResult) -> dict[str, object]:
    return {
        "seconds": result.seconds,
        "answers": len(result.answers),
        "answers_per_s": result.rate,
        **{f"p{percent}_ms": result.percentile(percent) for percent in PERCENTILES},
        "errors": dict(result.errors),
        "steps_ms": medians_by_name(result.answers),
    }


def _show(result: LoadResult) -> None:
    print_line(f"{quantity(len(result.answers), 'response')} in {result.seconds:.1f} s: {result.rate:.2f} per second")
    if result.answers:
        print_line(", ".join(f"p{percent} {result.percentile(percent):.0f} ms" for percent in PERCENTILES))
    for code, count in result.errors.most_common():
        print_line(f"[yellow]{count}[/] {escaped(code)}")
    table = Table("where the time went (medians)", box=None, padding=(0, 2, 0, 0))
    table.add_column("ms", justify="right")
    found = medians_by_name(result.answers)
    for name, label in STEPS.items():
        if name in found:
            table.add_row(label, f"{found[name]:.1f}")
    print_table(table)
