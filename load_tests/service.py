"""The service that is measured, in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil

from load_tests.processes import Sample, sample

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "data" / "bench"
CONFIG = ROOT / "configs" / "serve.yaml"
START_TIMEOUT_S = 120


@dataclass(frozen=True)
class RunningService:
    """A running service: its address, with the scheme, the process that was started, and its gallery's folder."""

    address: str
    process: psutil.Process
    gallery: Path | None = None

    def samples(self, seconds: float, pause: float) -> list[Sample]:
        """Look at it every `pause` seconds, the first time now.

        Raises:
            RuntimeError: it has ended.
        """
        found, end = [], time.monotonic() + seconds
        while (moment := time.monotonic()) < end:
            found.append(sample(self.process, self.gallery))
            if not found[-1].replicas:
                raise RuntimeError("the service has ended; its log says why")
            time.sleep(max(0.0, moment + pause - time.monotonic()))
        return found


@contextmanager
def running_service(config: Path, **variables: str) -> Iterator[RunningService]:
    """Run `facegraph serve CONFIG` on CPUs and with an empty gallery, as `running_program` does."""
    port = free_port()
    with TemporaryDirectory() as gallery:
        # "local": start a Ray cluster, even if another one runs on this machine.
        variables |= {"HOST": "127.0.0.1", "PORT": str(port), "RAY_ADDRESS": "local", "CUDA_VISIBLE_DEVICES": ""}
        variables |= {"GALLERY_URI": gallery, "AUDIT_LOG": str(RESULTS / "audit.jsonl")}
        arguments = ["-m", "facegraph", "serve", str(config)]
        with running_program(arguments, port, RESULTS / "serve.log", **variables) as service:
            yield RunningService(service.address, service.process, Path(gallery))


@contextmanager
def running_program(arguments: Sequence[str], port: int, log: Path, **variables: str) -> Iterator[RunningService]:
    """Run Python with `arguments` until the block ends; enter it when `/health` on `port` says healthy.

    Raises:
        RuntimeError: it ended or was not healthy in time; the message has the end of its log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        command, environment = [sys.executable, *arguments], {**os.environ, **variables}
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        service = RunningService(f"http://127.0.0.1:{port}", psutil.Process(process.pid))
        last = time.monotonic() + START_TIMEOUT_S
        while not _healthy(service.address):
            if time.monotonic() > last or process.poll() is not None:
                raise RuntimeError(log.read_text("utf-8", "replace")[-3000:])
            time.sleep(0.5)
        yield service
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def free_port() -> int:
    """A port of this machine that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _healthy(address: str) -> bool:
    with suppress(httpx.TransportError, ValueError):
        return bool(httpx.get(f"{address}/health", trust_env=False).json().get("status") == "healthy")
    return False
