"""The service, started as a user starts it, for as long as a measurement or a test lasts."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from graphs.settings import ROOT

START_TIMEOUT_S = 120


class NotReadyError(Exception):
    """The service ended or did not become healthy; the message has the end of its log."""


@contextmanager
def served(config: str, port: int, log: Path) -> Iterator[str]:
    """The address of `python -m deployments CONFIG` on a loopback port, once it is healthy.

    Raises:
        NotReadyError: it ended, or was not healthy in time.
    """
    # "local": a Ray cluster of its own, even where another one runs on this machine.
    environment = {**os.environ, "HOST": "127.0.0.1", "PORT": str(port), "RAY_ADDRESS": "local"}
    command = [sys.executable, "-m", "deployments", config]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_healthy(address, process, log)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _wait_until_healthy(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    last = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < last and process.poll() is None:
        try:
            if httpx.get(f"{address}/health").json().get("status") == "healthy":
                return
        except (httpx.TransportError, ValueError):
            pass
        time.sleep(0.5)
    raise NotReadyError(log.read_text("utf-8", "replace")[-3000:])
