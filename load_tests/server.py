"""A service, started as a user starts it, for as long as a measurement or a test lasts."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from deployments.address import reserved_port
from load_tests.processes import command, family
from project.root import ROOT

START_TIMEOUT_S = 120


class NotReadyError(Exception):
    """The service ended or did not become healthy; the message has the end of its log."""


@dataclass(frozen=True)
class Server:
    """A running service.

    Attributes:
        address: of its HTTP, on loopback.
        pid: of the process that was started.
    """

    address: str
    pid: int

    def processes(self, name: str = "") -> list[int]:
        """It and its descendants, youngest last; with `name`, those whose command line has it.

        A replica is called ``ServeReplica:facegraph:`` and its deployment.
        """
        return [pid for pid in family(self.pid) if name in command(pid)]

    def kill(self, name: str = "") -> list[int]:
        """SIGKILL `processes`; returns them."""
        killed = self.processes(name)
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        return killed


@contextmanager
def served(config: str, log: Path, **variables: str) -> Iterator[Server]:
    """`facegraph serve CONFIG` on a free loopback port, once it is healthy; ended afterwards.

    Args:
        log: file for its output.
        variables: of its environment.

    Raises:
        NotReadyError: it ended, or was not healthy in time.
    """
    with reserved_port() as port:
        # "local": a Ray cluster of its own, even where another one runs on this machine.
        environment = {"HOST": "127.0.0.1", "PORT": str(port), "RAY_ADDRESS": "local", **variables}
        environment.setdefault("AUDIT_LOG", str(log.with_name("audit.jsonl").absolute()))
        with _running(["-m", "facegraph", "serve", config], port, log, environment) as server:
            yield server


@contextmanager
def plain_served(workers: int, log: Path, **variables: str) -> Iterator[Server]:
    """`load_tests.bench.plain` in uvicorn, with as many `workers`, in the same way and with the same errors."""
    app = "load_tests.bench.plain:app"
    options = ["--workers", str(workers), "--host", "127.0.0.1", "--no-access-log"]
    with (
        reserved_port() as port,
        _running(["-m", "uvicorn", app, *options, "--port", str(port)], port, log, variables) as server,
    ):
        # The first worker answers while others load, and would get every connection.
        last = time.monotonic() + START_TIMEOUT_S
        while log.read_text("utf-8", "replace").count("Application startup complete") < workers:
            if time.monotonic() > last:
                raise NotReadyError(log.read_text("utf-8", "replace")[-3000:])
            time.sleep(0.1)
        yield server


@contextmanager
def _running(command: list[str], port: int, log: Path, variables: Mapping[str, str]) -> Iterator[Server]:
    """Python with the arguments `command`, once it answers /health on `port`."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env={**os.environ, **variables}, stdout=output, stderr=output
        )
    server = Server(f"http://127.0.0.1:{port}", process.pid)
    try:
        _wait_until_healthy(server.address, process, log)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _wait_until_healthy(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    last = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < last and process.poll() is None:
        try:
            if httpx.get(f"{address}/health", trust_env=False).json().get("status") == "healthy":
                return
        except (httpx.TransportError, ValueError):
            pass
        time.sleep(0.5)
    raise NotReadyError(log.read_text("utf-8", "replace")[-3000:])
