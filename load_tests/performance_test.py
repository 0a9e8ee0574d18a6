"""`python -m load_tests.performance_test`: many concurrent requests that compare two photos.

It has the options of the older service's performance test, and ``--concurrency``: the older test sent all requests at
the same time, which for more than a few dozen measures waiting connections.
"""

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated
from urllib.parse import urlsplit

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from load_tests.photos import sample_pair
from load_tests.programs import comparing, load
from load_tests.records import Request, read
from load_tests.results import table

URL = "http://localhost:8000/mediapipe"
MAX_PROBLEMS = 5


def send(url: str, pair: tuple[Path, Path], requests: int, concurrency: int) -> list[Request]:
    """Post the pair `requests` times, at most `concurrency` at a time."""
    parts = urlsplit(url)
    with TemporaryDirectory() as folder:
        records, path = Path(folder) / "records.jsonl", parts.path + (f"?{parts.query}" if parts.query else "")
        options = [*comparing(path, pair, Path(folder)), "--fixed-count", str(requests)]
        address, clients = f"{parts.scheme}://{parts.netloc}", min(requests, concurrency)
        with load(address, "FixedRequestUser", clients, records, *options) as process:
            while len(read(records)) < requests and process.poll() is None:
                time.sleep(0.1)
        return read(records)


def report(requests: Sequence[Request]) -> Table:
    """Tabulate a run in which at least one request succeeded."""
    times = [each.milliseconds for each in requests if each.answered and each.milliseconds]
    seconds = max(each.ended for each in requests) - min(each.began for each in requests)
    least, median, p95, p99, most = np.percentile(times, [0, 50, 95, 99, 100])
    made = table("what", "value")
    made.add_row("requests", str(len(requests)))
    made.add_row("succeeded", f"{len(times)} ({len(times) / len(requests):.1%})")
    made.add_row("requests per second", f"{len(times) / seconds:.2f}")
    measured = {"avg": np.mean(times), "min": least, "max": most, "median": median, "p95": p95, "p99": p99}
    for name, milliseconds in measured.items():
        made.add_row(f"response time, {name}", f"{milliseconds:.1f} ms")
    return made


def main(
    num_requests: Annotated[int, typer.Option(min=1, help="Number of requests.")] = 10,
    url: Annotated[str, typer.Option(help="URL of /mediapipe, /compare or /match.")] = URL,
    image1: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Default: a sample photo.")] = None,
    image2: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Default: another one.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=1024, help="Maximum number of concurrent requests.")] = 64,
) -> None:
    """Send, measure and print. The exit status is 1 if no request succeeded."""
    console = Console()
    if urlsplit(url).scheme not in ("http", "https"):
        raise typer.BadParameter(f"{url} is not a URL that begins with http:// or https://")
    try:
        first, second = (image1, image2) if image1 and image2 else sample_pair()
    except ValueError as error:
        console.print(f"[red]no photos[/]: {escape(str(error))} with --image1 and --image2", soft_wrap=True)
        raise typer.Exit(1) from None
    requests = send(url, (image1 or first, image2 or second), num_requests, concurrency)
    problems = Counter(each.problem for each in requests if each.problem)
    failed = problems.total() == len(requests)
    console.print(f"[red]none[/] of {len(requests)} requests succeeded" if failed else report(requests))
    for problem, count in problems.most_common(MAX_PROBLEMS):
        console.print(f"[red]{count} failed[/]: {escape(problem)}", soft_wrap=True)
    raise typer.Exit(failed)


if __name__ == "__main__":
    typer.run(main)
