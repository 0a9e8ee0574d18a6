"""`python -m load_tests.performance_test`: many concurrent requests that compare two photos.

It has the options of the older service's performance test, and ``--concurrency``. The older test sent all requests at
the same time; with more than a few dozen, that mostly measures how long connections wait. Locust reports the results.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated
from urllib.parse import urlsplit

import typer

from load_tests import ROOT
from load_tests.photos import sample_pair
from load_tests.programs import comparing, locust

URL = "http://localhost:8000/mediapipe"


def main(
    num_requests: Annotated[int, typer.Option(min=1, help="Number of requests.")] = 10,
    url: Annotated[str, typer.Option(help="URL of /mediapipe, /compare or /match.")] = URL,
    image1: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Default: a sample photo.")] = None,
    image2: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Default: a second one.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=1024, help="Maximum number of concurrent requests.")] = 64,
) -> None:
    """Send the requests, and print what Locust measured. The exit status is 1 if no request succeeded."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise typer.BadParameter(f"{url} is not a URL that begins with http:// or https://")
    try:
        first, second = (image1, image2) if image1 and image2 else sample_pair()
    except ValueError as error:
        raise typer.BadParameter(f"{error} with --image1 and --image2") from error
    address, path = f"{parts.scheme}://{parts.netloc}", parts.path + (f"?{parts.query}" if parts.query else "")
    with TemporaryDirectory() as folder:
        options = comparing(path, (image1 or first, image2 or second), Path(folder))
        # With this limit, the run fails only if no request succeeds.
        options += ["--fixed-count", str(num_requests), "--max-fail-ratio", "1", "--loglevel", "ERROR"]
        command = locust(address, "FixedRequestUser", min(num_requests, concurrency), *options)
        raise typer.Exit(subprocess.run([sys.executable, *command], cwd=ROOT).returncode)


if __name__ == "__main__":
    typer.run(main)
