"""The service that is measured, in a process of its own."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psutil

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "data" / "bench"
CONFIG = ROOT / "configs" / "serve.yaml"
START_TIMEOUT_S = 120
REPLICA = re.compile(r"ServeReplica:facegraph:([\w-]+)")
"""The deployment in the command line of one of its replicas."""


class NotReadyError(Exception):
    """The service ended or did not become healthy in time; the message has the end of its log."""


@dataclass(frozen=True)
class RunningService:
    """A running service: its address, with the scheme, the process that was started, and its gallery's folder."""

    address: str
    process: psutil.Process
    gallery: Path = Path()

    def processes(self, name: str = "") -> list[psutil.Process]:
        """The service's process and its descendants whose command line contains `name`."""
        return [each for each in family(self.process) if name in command_line(each)]

    def replicas(self) -> Counter[str]:
        """The number of replica processes of each deployment, each counted from its start until it is gone."""
        return Counter(found[1] for each in family(self.process) if (found := REPLICA.search(command_line(each))))


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and its descendants."""
    return [process, *process.children(recursive=True)]


def command_line(process: psutil.Process) -> str:
    """The command line; empty if the process has ended."""
    with suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())
    return ""


@contextmanager
def running_service(config: Path, folder: Path = RESULTS, **variables: str) -> Iterator[RunningService]:
    """Run `facegraph serve CONFIG` on CPUs and with an empty gallery, as `running_program` does.

    Args:
        folder: for the service's logs.
        variables: added to its environment.
    """
    port = free_port()
    with TemporaryDirectory() as gallery:
        # "local": start a Ray cluster, even if another one runs on this machine.
        environment = {"HOST": "127.0.0.1", "PORT": str(port), "RAY_ADDRESS": "local", "CUDA_VISIBLE_DEVICES": ""}
        environment |= {"GALLERY_URI": gallery, "AUDIT_LOG": str(folder.absolute() / "audit.jsonl"), **variables}
        arguments = ["-m", "facegraph", "serve", str(config)]
        with running_program(arguments, port, folder / "serve.log", environment) as service:
            yield replace(service, gallery=Path(gallery))


@contextmanager
def running_program(
    arguments: Sequence[str], port: int, log: Path, variables: Mapping[str, str]
) -> Iterator[RunningService]:
    """Run Python with `arguments` until the block ends; enter it when `/health` on `port` says healthy.

    Raises:
        NotReadyError: it ended or was not healthy in time.
    """
    environment = {**os.environ, **variables}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    try:
        service = RunningService(f"http://127.0.0.1:{port}", psutil.Process(process.pid))
        last = time.monotonic() + START_TIMEOUT_S
        while not _healthy(service.address):
            if time.monotonic() > last or process.poll() is not None:
                raise NotReadyError(log.read_text("utf-8", "replace")[-3000:])
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
