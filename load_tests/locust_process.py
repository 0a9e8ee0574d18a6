"""Locust in a process of its own: it replaces much of the standard library where it is imported."""

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from load_tests.photos import Photo, pair_json
from load_tests.service import ROOT

START_S = 90
"""Longest time until the first request has ended; Locust itself gives up after 60 s."""
LEAVE_S = 90
"""Longest time for the clients to end their requests and delete what they enrolled."""


def comparing(path: str, pair: Iterable[Path], folder: Path) -> list[str]:
    """Options with which `FixedRequestUser` posts two photos to a route; `folder` receives the body."""
    file = folder / "body.json"
    file.write_text(json.dumps(pair_json(path.partition("?")[0], map(Photo.read, pair))), "utf-8")
    return ["--fixed-path", path, "--fixed-body", str(file)]


@contextmanager
def load(address: str, users: str, clients: int, records: Path, *options: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Let `clients` users of the class `users` send requests until the block ends, as fast as they are answered.

    The block is entered once the first request has ended. Locust's log lies beside the records.

    Args:
        address: of the service, with its scheme.
        records: file that receives the requests, see `load_tests.records`.
        options: of Locust and load_tests/locustfile.py.

    Raises:
        RuntimeError: Locust ended early or sent nothing; the message has the end of its log.
    """
    records.unlink(missing_ok=True)
    log = records.with_suffix(".log")
    count = str(clients)
    command = [sys.executable, "-m", "locust", "-f", "load_tests/locustfile.py", "--headless", "--only-summary"]
    command += ["--host", address, "-u", count, "-r", count, "--think-time", "0", "0"]
    command += ["--records", str(records.absolute()), *options, users]
    with log.open("wb") as output, subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output) as process:
        try:
            last = time.monotonic() + START_S
            while not (records.exists() and records.stat().st_size):
                if time.monotonic() > last or process.poll() is not None:
                    raise RuntimeError(f"Locust sent nothing:\n{log.read_text('utf-8', 'replace')[-2000:]}")
                time.sleep(0.02)
            yield process
            if process.poll() is not None:
                raise RuntimeError(f"Locust ended too early:\n{log.read_text('utf-8', 'replace')[-2000:]}")
            process.terminate()
            # What was recorded counts, even if the clients cannot delete what they enrolled.
            with suppress(subprocess.TimeoutExpired):
                process.wait(LEAVE_S)
        finally:
            process.kill()
