"""Runs the measured program and the load generator, each in a separate process."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import httpx
import psutil
import typer

from deployments.address import reserved_port
from load_tests import RESULTS, ROOT
from load_tests.photos import Photo, pair_json
from load_tests.processes import Sample, sample

START_S, END_S = 120, 90
"""Maximum time for a program to become ready, and to exit when terminated, in seconds."""

ConfigOption = Annotated[Path, typer.Option(exists=True, dir_okay=False, help="A Serve configuration.")]


@dataclass(frozen=True)
class RunningService:
    """A running service: its base URL, its main process, and its gallery's folder."""

    address: str
    process: psutil.Process
    gallery: Path | None = None

    def samples(self, seconds: float, pause: float) -> list[Sample]:
        """Sample the service every `pause` seconds, starting now; raises RuntimeError if it has exited."""
        found, end = [], time.monotonic() + seconds
        while (moment := time.monotonic()) < end:
            found.append(sample(self.process, self.gallery))
            if not found[-1].replicas:
                raise RuntimeError("the service has exited; see its log")
            time.sleep(max(0.0, moment + pause - time.monotonic()))
        return found


@contextmanager
def running_service(config: Path, **variables: str) -> Iterator[RunningService]:
    """Run `facegraph serve CONFIG` on CPUs, as `running_program` does.

    The gallery is empty unless `GALLERY_URI` is given.
    """
    with reserved_port("127.0.0.1") as port, TemporaryDirectory() as gallery:
        address = f"http://127.0.0.1:{port}"

        def healthy() -> bool:
            with suppress(httpx.TransportError, ValueError):
                return bool(httpx.get(f"{address}/health", trust_env=False).json().get("status") == "healthy")
            return False

        # "local": start a Ray cluster, even if another one runs on this machine.
        variables |= {"HOST": "127.0.0.1", "PORT": str(port), "RAY_ADDRESS": "local", "CUDA_VISIBLE_DEVICES": ""}
        variables = {"GALLERY_URI": gallery, "AUDIT_LOG": str(RESULTS / "audit.jsonl")} | variables
        arguments = ["-m", "facegraph", "serve", str(config)]
        with running_program(arguments, RESULTS / "serve.log", healthy, **variables) as process:
            yield RunningService(address, process, Path(variables["GALLERY_URI"]))


@contextmanager
def running_program(
    arguments: Sequence[str], log: Path, ready: Callable[[], bool], **variables: str
) -> Iterator[psutil.Popen]:
    """Run Python with `arguments` until the block ends; the block starts once the program is `ready`.

    Raises RuntimeError with the end of the log if the program exits or is not ready in time.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    command, environment, last = [sys.executable, *arguments], {**os.environ, **variables}, time.monotonic() + START_S
    with (
        log.open("wb") as output,
        psutil.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output) as process,
    ):
        try:
            while not ready():
                if time.monotonic() > last or process.poll() is not None:
                    raise RuntimeError(f"{arguments[1]} is not ready:\n{log.read_text('utf-8', 'replace')[-3000:]}")
                time.sleep(0.2)
            yield process
        finally:
            for end in (process.terminate, process.kill):
                with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
                    end()
                    process.wait(END_S)


def comparing(path: str, pair: Iterable[Path], folder: Path) -> list[str]:
    """Return options that make `FixedRequestUser` post two photos to a route; the body is written to `folder`."""
    file = folder / "body.json"
    file.write_text(json.dumps(pair_json(path.partition("?")[0], map(Photo.read, pair))), "utf-8")
    return ["--fixed-path", path, "--fixed-body", str(file.absolute())]


def locust(address: str, users: str, clients: int, *options: str) -> list[str]:
    """Return arguments for Python that run Locust with `clients` users of the class `users`, without pauses.

    Locust needs a separate process, because importing it patches much of the standard library.
    """
    count = str(clients)
    command = ["-m", "locust", "-f", "load_tests/locustfile.py", "--headless", "--only-summary", "--host", address]
    return [*command, "-u", count, "-r", count, "--think-time", "0", "0", *options, users]


@contextmanager
def load(address: str, users: str, clients: int, records: Path, *options: str) -> Iterator[None]:
    """Run `locust` until the block ends; the block starts once the first request has ended.

    The requests are written to `records`, and Locust's log next to it.
    """
    records.unlink(missing_ok=True)
    log = records.with_suffix(".log")
    command = locust(address, users, clients, "--records", str(records.absolute()), *options)
    with running_program(command, log, lambda: records.exists() and records.stat().st_size > 0) as process:
        yield
        if process.poll() is not None:
            raise RuntimeError(f"Locust exited too early:\n{log.read_text('utf-8', 'replace')[-2000:]}")
