"""`python -m load_tests.faults`: kill a service's processes under load, one kind after another (docs/faults.md)."""

import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console

from load_tests import CONFIG, RESULTS
from load_tests.processes import command_line, family, sample
from load_tests.programs import ConfigOption, load, running_service
from load_tests.records import Request, read
from load_tests.results import table

OTHERS = ("haproxy/bin", "ServeController")
"""Text in the command lines of the other processes to kill, in addition to each deployment's replicas."""
COLLECTION = "/v1/collections/checked"
EMBEDDER = "arcface"
PAIR_ROUTES = ("/match", "/compare", "/mediapipe")
ROUTES = (*PAIR_ROUTES, f"{COLLECTION}/embeddings", f"{COLLECTION}/search/embedding")
ANSWERS = 3
"""Responses required from each route before the first kill and after each kill."""
LIMIT_S = 60


def well_again(records: Path, since: float) -> list[Request]:
    """Wait until each route has served `ANSWERS` requests sent after `since`; return all that have ended since then.

    Raises TimeoutError after `LIMIT_S`.
    """
    while True:
        requests = [each for each in read(records) if each.ended >= since]
        answers = Counter(each.name for each in requests if each.answered and each.began >= since)
        if not (missing := [route for route in ROUTES if answers[route] < ANSWERS]):
            return requests
        if time.monotonic() > since + LIMIT_S:
            problems = [each.problem for each in requests if each.problem]
            raise TimeoutError(f"{', '.join(missing)}: no response; the last failures were {problems[-3:]}")
        time.sleep(0.2)


def wrong(request: Request) -> bool:
    """Whether a response had the wrong content."""
    return bool(request.problem and request.problem.startswith("wrong: "))


def lost(address: str, subjects: list[str]) -> list[str]:
    """Return the acknowledged subjects that are not in the collection."""
    with httpx.Client(base_url=f"{address}{COLLECTION}/subjects/", timeout=LIMIT_S, trust_env=False) as client:
        return [each for each in subjects if client.get(each).status_code != 200]


def main(
    config: ConfigOption = CONFIG,
    clients: Annotated[int, typer.Option(min=1, help="Number of concurrent clients.")] = 8,
    causes: Annotated[bool, typer.Option(help="Print the error of each failed request.")] = False,
) -> None:
    """Run the service under load, kill its processes, and print the results.

    The exit status is 1 if a response was wrong or an enrolment was lost.
    """
    console, records = Console(), RESULTS / "faults.jsonl"
    made = table("killed", "sent", "failed", "wrong", "recovered after")
    with running_service(config) as service:
        httpx.put(f"{service.address}{COLLECTION}", json={"embedder": EMBEDDER}, trust_env=False).raise_for_status()
        with load(service.address, "CheckedUser", clients, records):
            well_again(records, time.monotonic())
            deployments = sorted(sample(service.process).counts)
            for name in (*(f"ServeReplica:facegraph:{each}" for each in deployments), *OTHERS):
                since = time.monotonic()
                for process in family(service.process):
                    if name in command_line(process):
                        process.kill()
                requests = well_again(records, since)
                problems = Counter(f"{each.name}: {each.problem}" for each in requests if each.problem)
                errors = sum(map(wrong, requests))
                for cause, count in problems.items() if causes else ():
                    console.print(f"{name}: {count} times {cause}", markup=False)
                counts = (len(requests), problems.total() - errors, errors)
                made.add_row(name.rpartition(":")[2], *map(str, counts), f"{time.monotonic() - since:.0f} s")
        requests = read(records)
        subjects = [each.details["subject"] for each in requests if "subject" in each.details]
        missing = lost(service.address, subjects)
    console.print(made)
    console.print(f"{len(subjects)} enrolments were acknowledged; {len(missing)} of them were lost")
    raise typer.Exit(bool(missing or any(map(wrong, requests))))


if __name__ == "__main__":
    typer.run(main)
