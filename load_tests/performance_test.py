"""`python -m load_tests.performance_test`: many requests at once that compare two photos, as the old tool sent them.

Its options are the old ones, and ``--concurrency``: the old tool sent everything at once, which beyond some
dozens of requests measures the client and the connections that wait. Response times are those of the requests that
succeeded, from sending to the whole answer; so is the rate, over the time that all requests took.
"""

import asyncio
import base64
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import httpx
import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from load_tests.error_text import countable
from models.errors import ModelError
from tests import photos

TIMEOUT = httpx.Timeout(120, connect=10)
"""Seconds; the service gives up after 30 by itself."""
NOBODY = (httpx.ConnectError, httpx.ConnectTimeout)
MOST_PROBLEMS = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request.

    Attributes:
        milliseconds: from sending it to its end.
        problem: why it did not succeed; empty if it did.
        connected: whether anybody was there.
    """

    milliseconds: float
    problem: str = ""
    connected: bool = True


def encode(url: str, first: Path, second: Path) -> bytes:
    """The body that compares two photos, with the fields of the contract that `url` belongs to."""
    names = ("image1", "image2") if httpx.URL(url).path == "/match" else ("image1_base64", "image2_base64")
    encoded = [base64.b64encode(path.read_bytes()).decode() for path in (first, second)]
    return json.dumps(dict(zip(names, encoded, strict=True))).encode()


async def send(url: str, body: bytes, requests: int, concurrency: int) -> list[Answer]:
    """Post `body` so many times, as many at once as `concurrency` says."""
    turns = asyncio.Semaphore(concurrency)
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    headers = {"content-type": "application/json"}
    # The environment's proxy would be measured along.
    async with httpx.AsyncClient(timeout=TIMEOUT, limits=limits, headers=headers, trust_env=False) as client:

        async def one() -> Answer:
            async with turns:
                return await _post(client, url, body)

        return await asyncio.gather(*(one() for _ in range(requests)))


async def _post(client: httpx.AsyncClient, url: str, body: bytes) -> Answer:
    started = time.perf_counter()
    try:
        response = await client.post(url, content=body)
    except httpx.TransportError as error:
        problem = f"{type(error).__name__}: {error}".removesuffix(": ")
        return Answer(1000 * (time.perf_counter() - started), problem, not isinstance(error, NOBODY))
    milliseconds = 1000 * (time.perf_counter() - started)
    return Answer(milliseconds, "" if response.is_success else f"{response.status_code}: {countable(response.text)}")


def report(answers: Sequence[Answer], seconds: float) -> Table:
    """The table of a run that took so many seconds, at least one of whose requests succeeded."""
    times = [answer.milliseconds for answer in answers if not answer.problem]
    median, p95, p99 = np.percentile(times, [50, 95, 99])
    table = Table("what", "value", box=None)
    table.add_row("requests", str(len(answers)))
    table.add_row("succeeded", f"{len(times)} ({len(times) / len(answers):.1%})")
    table.add_row("requests a second", f"{len(times) / seconds:.2f}")
    measured = {"avg": np.mean(times), "min": min(times), "max": max(times), "median": median, "p95": p95, "p99": p99}
    for name, milliseconds in measured.items():
        table.add_row(f"response time, {name}", f"{milliseconds:.1f} ms")
    return table


def _address(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise typer.BadParameter(f"{url} is no address: {error}") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise typer.BadParameter(f"{url} is no address that begins with http:// or https://")
    return url


def main(
    num_requests: Annotated[int, typer.Option(min=1, help="Requests to send.")] = 10,
    url: Annotated[str, typer.Option(callback=_address, help="Address of /mediapipe, /compare or /match.")] = (
        "http://localhost:8000/mediapipe"
    ),
    image1: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Default: a sample photo.")] = None,
    image2: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Default: another one.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=1024, help="Most requests at once.")] = 64,
) -> None:
    """Send, measure and print. The exit status is 1 if nothing succeeded."""
    console = Console()
    try:
        body = encode(url, *_pair(image1, image2))
    except ModelError as error:
        console.print(f"[red]no sample photos[/]: {escape(str(error))}; name your own with --image1 and --image2")
        raise typer.Exit(1) from None
    started = time.perf_counter()
    answers = asyncio.run(send(url, body, num_requests, concurrency))
    seconds = time.perf_counter() - started
    if not any(answer.connected for answer in answers):
        console.print(f"[red]nobody answers[/] at {escape(url)}", soft_wrap=True)
        raise typer.Exit(1)
    problems = Counter(answer.problem for answer in answers if answer.problem)
    if problems.total() < len(answers):
        console.print(report(answers, seconds))
    else:
        console.print(f"[red]none[/] of {len(answers)} requests succeeded")
    for problem, count in problems.most_common(MOST_PROBLEMS):
        console.print(f"[red]{count} failed[/]: {escape(problem)}", soft_wrap=True)
    if problems.total() == len(answers):
        raise typer.Exit(1)


def _pair(image1: Path | None, image2: Path | None) -> tuple[Path, Path]:
    if image1 and image2:
        return image1, image2
    photos.fetch()
    first, second = sorted((photos.FOLDER / "mindy_kaling").glob("*zimbio*.jpg"))[:2]
    return image1 or first, image2 or second


if __name__ == "__main__":
    typer.run(main)
