"""`python -m load_tests.faults`: kill a service's processes under load, one kind after the other, and count the cost.

The service is started from a configuration, with an empty gallery. Clients ask for everything it does and check every
answer, all processes of a kind are killed (SIGKILL), and once all kinds of requests are answered again, the next.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from load_tests.pair import FOLDER, prepare
from load_tests.photos import Photo
from load_tests.routes import CONFIG
from load_tests.server import Server, served
from load_tests.traffic import Traffic

REPLICAS = (
    "detector-mtcnn",
    "detector-mediapipe",
    "detector-retinaface",
    "liveness-crmnet",
    "embedder-arcface",
    "embedder-facenet",
    "gallery-reader",
    "gallery-writer",
    "ingress",
)
"""Deployments whose replicas are killed."""
OTHERS = ("haproxy/bin", "ServeController")
"""Command lines of processes of Serve itself."""

ANSWERS = 3
"""Of each kind of request, before the first kill and after each."""


@dataclass(frozen=True)
class Outcome:
    """What a kill has cost.

    Attributes:
        killed: the processes' name.
        sent, failed, wrong: requests from the kill until all was well.
        causes: of the failures.
        seconds: from the kill until `ANSWERS` requests of each kind were answered that were sent after it.
    """

    killed: str
    sent: int
    failed: int
    wrong: int
    causes: tuple[str, ...]
    seconds: float


def kill(server: Server, traffic: Traffic, name: str) -> Outcome:
    """Kill the processes whose command lines have `name`, and wait until all is well; clients have to be asking.

    Raises:
        NotBackError: it is not within a minute.
    """
    answered, failed, wrong = len(traffic.answered), len(traffic.failed), len(traffic.wrong)
    begin = time.monotonic()
    server.kill(name)
    traffic.wait_for(ANSWERS)
    failures = traffic.failed[failed:]
    more_wrong = len(traffic.wrong) - wrong
    return Outcome(
        name,
        len(traffic.answered) - answered + len(failures) + more_wrong,
        len(failures),
        more_wrong,
        tuple(sorted({f"{each.kind}: {each.cause}" for each in failures})),
        time.monotonic() - begin,
    )


def replica(deployment: str) -> str:
    """What stands in the command line of a deployment's replicas."""
    return f"ServeReplica:facegraph:{deployment}"


def main(
    config: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="A Serve configuration.")] = CONFIG,
    clients: Annotated[int, typer.Option(min=1, help="Clients that ask at once.")] = 8,
    causes: Annotated[bool, typer.Option(help="Print what each failed request was told.")] = False,
) -> None:
    """Serve, ask, kill and print; the exit status is 1 where an answer was wrong or an enrolment was lost."""
    console, table = Console(), Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("killed", "sent", "failed", "wrong", "all well after"):
        table.add_column(heading, justify="left" if heading == "killed" else "right")
    first, second = map(Photo.read, prepare())
    with (
        TemporaryDirectory() as folder,
        served(str(config), FOLDER / "serve.log", GALLERY_URI=f"{folder}/gallery") as server,
    ):
        traffic = Traffic(server.address, (first, second))
        with traffic.by(clients):
            traffic.wait_for(ANSWERS)
            for name in (*map(replica, REPLICAS), *OTHERS):
                outcome = kill(server, traffic, name)
                console.print(f"{name}: {outcome.failed} of {outcome.sent} failed", *outcome.causes if causes else ())
                counts = (outcome.sent, outcome.failed, outcome.wrong)
                table.add_row(name.rpartition(":")[2], *map(str, counts), f"{outcome.seconds:.0f} s")
        lost = traffic.lost()
    console.print(table)
    console.print(f"{len(traffic.acknowledged)} enrolments were acknowledged, {len(lost)} of them are lost")
    raise typer.Exit(bool(lost or traffic.wrong))


if __name__ == "__main__":
    typer.run(main)
