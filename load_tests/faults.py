"""`python -m load_tests.faults`: kill a service's processes under load, one kind after the other, and count the cost.

The service is started with an empty gallery. Clients use all of it and check every answer; all processes of a kind are
killed (SIGKILL); once all kinds of requests are answered again, the next kind follows.
"""

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console

from load_tests.locust_process import load
from load_tests.processes import command_line, family, sample
from load_tests.records import Request, read
from load_tests.results import table
from load_tests.service import CONFIG, RESULTS, running_service

OTHERS = ("haproxy/bin", "ServeController")
"""Text in the command lines of the processes that are killed besides the replicas of each deployment."""
COLLECTION = "/v1/collections/checked"
EMBEDDER = "arcface"
PAIR_ROUTES = ("/match", "/compare", "/mediapipe")
ROUTES = (*PAIR_ROUTES, f"{COLLECTION}/embeddings", f"{COLLECTION}/search/embedding")
ANSWERS = 3
"""Answers that each route must have given, before the first kill and after each."""
LIMIT_S = 60


def well_again(records: Path, since: float) -> list[Request]:
    """Wait until each route has answered `ANSWERS` requests sent after `since`; returns all that ended after it.

    Raises:
        TimeoutError: that took longer than `LIMIT_S`.
    """
    while True:
        requests = [each for each in read(records) if each.ended >= since]
        answers = Counter(each.name for each in requests if each.answered and each.began >= since)
        if not (missing := [route for route in ROUTES if answers[route] < ANSWERS]):
            return requests
        if time.monotonic() > since + LIMIT_S:
            problems = [each.problem for each in requests if each.problem]
            raise TimeoutError(f"{', '.join(missing)}: not answered; the last failures were {problems[-3:]}")
        time.sleep(0.2)


def wrong(request: Request) -> bool:
    """Whether an answer had the wrong content."""
    return bool(request.problem and request.problem.startswith("wrong: "))


def search_body(subject: str, embedder: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a search that must find `subject`; `embedder` is described by GET /v1/models."""
    values = embedding_of(subject, embedder)
    return {"embedding": {"contract": embedder["embedding_contract"], "values": values}, "top_k": 1}


def embedding_of(subject: str, embedder: Mapping[str, Any]) -> list[float]:
    """A random embedding that is always the same for one subject."""
    chance = Random(subject)  # noqa: S311
    return [chance.gauss(0, 1) for _ in range(embedder["embedding_dimensions"])]


def lost(address: str, subjects: list[str]) -> list[str]:
    """Those of the acknowledged subjects that a search does not find."""
    missing = []
    with httpx.Client(base_url=address, timeout=LIMIT_S, trust_env=False) as client:
        embedder = client.get("/v1/models").json()["embedders"][EMBEDDER]
        for subject in subjects:
            answer = client.post(f"{COLLECTION}/search/embedding", json=search_body(subject, embedder))
            if [each["subject"] for each in answer.raise_for_status().json()["candidates"]] != [subject]:
                missing.append(subject)
    return missing


def main(
    config: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="A Serve configuration.")] = CONFIG,
    clients: Annotated[int, typer.Option(min=1, help="Clients that send requests at once.")] = 8,
    causes: Annotated[bool, typer.Option(help="Print the error of each failed request.")] = False,
) -> None:
    """Serve, send, kill and print; the exit status is 1 if an answer was wrong or an enrolment was lost."""
    console, records = Console(), RESULTS / "faults.jsonl"
    made = table("killed", "sent", "failed", "wrong", "all well after")
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
    console.print(f"{len(subjects)} enrolments were acknowledged, {len(missing)} of them are lost")
    raise typer.Exit(bool(missing or any(map(wrong, requests))))


if __name__ == "__main__":
    typer.run(main)
