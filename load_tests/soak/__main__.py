"""`python -m load_tests.soak`: does a service that works at full load for minutes grow, or become slower?

Starts the service with an empty gallery and as many replicas as its configuration has at least. Clients do one after
the other whatever the users of the load tests do (`load_tests.soak.locustfile`), and send broken photos and wrong JSON
and hang up besides. The gallery's timers run faster, so that minutes see what hours would: merging every 2 s instead
of 20, cleaning up every 15 s instead of every hour. Every 2 s all processes are looked at. After a warm-up, the last
quarter is compared with the first one; the exit status is 1 where anything grew by more than its bound, an answer was
not what it has to be, or a replica ended.

All of it stands in soak.json of the folder, and soak.png is the picture. Clients and service share the machine, whose
GPUs are left out.
"""

import copy
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.table import Table

from load_tests import machine
from load_tests.pair import FOLDER
from load_tests.routes import CONFIG
from load_tests.server import Server, served
from load_tests.soak.plot import draw
from load_tests.soak.records import Request, read, unexpected
from load_tests.soak.samples import Sample, sample
from load_tests.soak.verdict import Bounds, Change, Quarters, TooShortError, memory_by_kind, resources, times
from load_tests.watch import EndedError
from load_tests.work import sleep_until
from project.root import ROOT

LOOK_S = 2
WARM_UP_S, WARM_UP_SHARE = 60, 0.2
"""The warm-up is the shorter of the two."""
LEAVE_S = 90
"""Time for the clients to take back what they enrolled."""
SETTINGS = {
    "CUDA_VISIBLE_DEVICES": "",
    "GALLERY_OPTIMISE_S": "2",
    "GALLERY_CLEAN_S": "15",
    # Whatever the environment has for another service.
    "REQUIRE_KEYS": "false",
    "RATE_LIMIT": "0",
}


def steady(config: Any) -> Any:
    """`config` without autoscaling: every deployment has the fewest replicas that it may have."""
    made = copy.deepcopy(config)
    for application in made["applications"]:
        for entry in application.get("deployments", []):
            if scaling := entry.pop("autoscaling_config", None):
                entry["num_replicas"] = max(1, scaling.get("min_replicas", 1))
    return made


@contextmanager
def asking(address: str, clients: int, seconds: float, records: Path, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Locust with `clients`, which write down what became of their requests; ended with the block."""
    options = ["--headless", "--only-summary", "-u", str(clients), "-r", str(clients), "-t", f"{seconds:.0f}s"]
    files = ["-f", "load_tests/soak/locustfile.py", "--records", str(records.resolve())]
    command = [sys.executable, "-m", "locust", *files, "--host", address, *options, "SoakUser"]
    with log.open("wb") as output, subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output) as process:
        try:
            yield process
        finally:
            process.kill()


def watch(
    server: Server, clients: "subprocess.Popen[bytes]", gallery: Path, end: float, log: Path, pause: float = LOOK_S
) -> list[Sample]:
    """Look at the service until `end`, by `time.monotonic`, and then let the clients go.

    Raises:
        EndedError: the clients or the service ended before.
    """
    samples: list[Sample] = []
    moment = time.monotonic()
    while moment < end:
        sleep_until(moment)
        samples.append(sample(server, gallery, time.monotonic()))
        if clients.poll() is not None:
            raise EndedError(f"the clients ended before their time:\n{log.read_text('utf-8', 'replace')[-2000:]}")
        if not samples[-1].replicas:
            raise EndedError("the service has no replica any more")
        # A look that took longer than the pause is followed by no hurry.
        moment = max(moment + pause, time.monotonic())
    # The figures are there, even if the clients cannot take back what they enrolled.
    with suppress(subprocess.TimeoutExpired):
        clients.wait(LEAVE_S)
    return samples


def tables(changes: Sequence[Change], kinds: dict[str, tuple[float, float]]) -> list[Table]:
    """What is judged, and the memory of each kind of process, which is not."""
    judged = Table("", "first quarter", "last quarter", "growth", "bound", "", box=None, padding=(0, 2, 0, 0))
    for each in changes:
        figures = (f"{value:,.{2 if each.first < 10 else 0}f} {each.unit}".strip() for value in (each.first, each.last))
        bound = f"{each.bound:+.0%}" + (f" and {each.slack:g}" if each.slack else "")
        judged.add_row(each.what, *figures, f"{each.growth:+.1%}", bound, "[red]broken[/]" if each.broken else "")
    memory = Table("memory, MiB", "first quarter", "last quarter", box=None, padding=(0, 2, 0, 0))
    for kind, (first, last) in kinds.items():
        memory.add_row(kind, f"{first:,.0f}", f"{last:,.0f}")
    return [judged, memory]


def main(
    minutes: Annotated[float, typer.Option(min=1, max=60, help="How long, with the warm-up.")] = 5,
    clients: Annotated[int, typer.Option(min=1, help="Clients, each of which asks one thing at a time.")] = 4,
    config: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="A Serve configuration.")] = CONFIG,
    folder: Annotated[Path, typer.Option(file_okay=False, help="Gets results, logs and the gallery.")] = FOLDER,
    most_growth: Annotated[float, typer.Option(min=0, help="Share by which memory, files, threads may grow.")] = 0.10,
    most_slowdown: Annotated[float, typer.Option(min=0, help="Share by which a typical route may slow down.")] = 0.25,
) -> None:
    """Serve, ask, look, compare, print, draw and write down."""
    console, bounds = Console(), Bounds(most_growth, most_slowdown)
    folder.mkdir(parents=True, exist_ok=True)
    gallery, path, records = folder.resolve() / "soak-gallery", folder / "soak.yaml", folder / "soak.jsonl"
    shutil.rmtree(gallery, ignore_errors=True)
    made = steady(yaml.safe_load(config.read_text("utf-8")))
    path.write_text(yaml.safe_dump(made, sort_keys=False), "utf-8")
    ran_on, length = machine.described(), 60 * minutes
    variables = {"GALLERY_URI": str(gallery), "AUDIT_LOG": str(folder.resolve() / "soak-audit.jsonl"), **SETTINGS}
    with served(str(path), folder / "soak-serve.log", **variables) as server:
        log, start = folder / "soak-clients.log", time.monotonic()
        with asking(server.address, clients, length, records, log) as process:
            samples = watch(server, process, gallery, start + length, log)
    shutil.rmtree(gallery, ignore_errors=True)
    quarters = Quarters(start + min(WARM_UP_S, WARM_UP_SHARE * length), start + length)
    requests = read(records)
    try:
        changes = [*resources(samples, quarters, bounds), *times(requests, quarters, bounds)]
    except TooShortError as error:
        raise SystemExit(f"{error}: give it more --minutes, or read {log}") from None
    kinds, wrong = memory_by_kind(samples, quarters), unexpected(requests)
    written = {
        "machine": ran_on,
        "minutes": minutes,
        "clients": clients,
        "config": made,
        "requests": Counter(request.name for request in requests),
        "refused": sum(request.refused for request in requests),
        "unexpected": wrong,
        "changes": [{**asdict(each), "broken": each.broken} for each in changes],
        "memory": kinds,
        "samples": [{**asdict(each), "at": each.at - start, "replicas": sorted(each.replicas)} for each in samples],
    }
    (folder / "soak.json").write_text(json.dumps(written, indent=2) + "\n", "utf-8")
    draw(samples, requests, quarters, folder / "soak.png")
    for table in tables(changes, kinds):
        console.print(table, "")
    console.print(_counted(requests))
    for problem, count in wrong.most_common(10):
        console.print(f"{count} times: {problem}", markup=False)
    console.print(f"written: {folder / 'soak.json'}, {folder / 'soak.png'}")
    if wrong or any(each.broken for each in changes):
        raise typer.Exit(1)


def _counted(requests: Sequence[Request]) -> str:
    refused, wrong = sum(each.refused for each in requests), unexpected(requests).total()
    return f"{len(requests):,} requests: {refused:,} refused for load, {wrong:,} with an unexpected answer"


if __name__ == "__main__":
    typer.run(main)
