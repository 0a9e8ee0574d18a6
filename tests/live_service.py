"""The service in a process of its own, started as a user starts it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from deployments.address import reserved_port
from project.root import ROOT

START_TIMEOUT_S = 120
_REPLICA = "ServeReplica:facegraph:"


class NotReadyError(Exception):
    """The service ended or did not become healthy in time; the message has the end of its log."""


@dataclass(frozen=True)
class LiveService:
    """A running service.

    Attributes:
        address: its URL, on loopback.
        pid: id of the process that was started.
    """

    address: str
    pid: int

    def processes(self, name: str = "") -> list[int]:
        """Ids of the service's process and its descendants whose command line contains `name`.

        The command line of a replica contains ``ServeReplica:facegraph:`` and the name of its deployment.
        """
        main = psutil.Process(self.pid)
        return [found.pid for found in (main, *main.children(recursive=True)) if name in command(found.pid)]

    def kill(self, name: str) -> None:
        """SIGKILL `processes`."""
        for pid in self.processes(name):
            os.kill(pid, signal.SIGKILL)

    def replicas(self) -> Counter[str]:
        """The number of replica processes of each deployment, each counted from its start until it is gone."""
        titles = (command(pid) for pid in self.processes(_REPLICA))
        return Counter(re.split(r"[.\s]", title.partition(_REPLICA)[2])[0] for title in titles if title)


def command(pid: int) -> str:
    """The command line of a process; empty if it has ended."""
    with suppress(psutil.NoSuchProcess):
        return " ".join(psutil.Process(pid).cmdline())
    return ""


@contextmanager
def served(config: str, log: Path, **variables: str) -> Iterator[LiveService]:
    """Run `facegraph serve CONFIG` on a free loopback port during the block, which begins once it is healthy.

    Args:
        log: file for the service's output.
        variables: added to its environment.

    Raises:
        NotReadyError: the service ended or was not healthy in time.
    """
    with reserved_port() as port, log.open("wb") as output:
        # "local": start a Ray cluster, even if another one runs on this machine.
        environment = {**os.environ, "HOST": "127.0.0.1", "PORT": str(port), "RAY_ADDRESS": "local"}
        environment |= {"AUDIT_LOG": str(log.with_name("audit.jsonl").absolute()), **variables}
        process = subprocess.Popen(
            [sys.executable, "-m", "facegraph", "serve", config],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
        )
        service = LiveService(f"http://127.0.0.1:{port}", process.pid)
        try:
            _wait_until_healthy(service.address, process, log)
            yield service
        finally:
            # SIGTERM would take seconds.
            process.kill()
            process.wait(60)


def _wait_until_healthy(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    last = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < last and process.poll() is None:
        with suppress(httpx.TransportError, ValueError):
            if httpx.get(f"{address}/health", trust_env=False).json().get("status") == "healthy":
                return
        time.sleep(0.5)
    raise NotReadyError(log.read_text("utf-8", "replace")[-3000:])
