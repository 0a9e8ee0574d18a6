"""Ending all processes of a service once its main process has ended, even by SIGKILL.

Ray's own processes end with their parents, but some take half a minute, and HAProxy would keep the port. This module is
also the program that waits for the main process, so it imports the standard library alone.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

MARK = "FACEGRAPH_SERVICE"
"""Environment variable that marks the processes of one service."""

PATIENCE_S = 30
"""Seconds to wait for killed processes to end; one may be stuck in the kernel."""


@contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """Kill what this process starts in the block, and remove `folder`, at the end of the block or of the process.

    Needs ``/proc``; on other systems it kills nothing.
    """
    mark = uuid4().hex
    command = [sys.executable, "-I", "-S", __file__, mark, str(folder)]
    # In a session of its own it gets no signals from the terminal, or that are meant for this process's group.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ):
        os.environ[MARK] = mark
        try:
            yield
        finally:
            del os.environ[MARK]


def started(mark: str) -> list[int]:
    """Processes with `mark` in their environment, and their descendants, which may have overwritten theirs."""
    entry, found = f"\0{MARK}={mark}\0".encode(), list[int]()
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*"):
        # Other users' processes, and processes that have ended meanwhile.
        with suppress(OSError):
            parents[int(path.name)] = int((path / "stat").read_bytes().rpartition(b")")[2].split()[1])
            if entry in b"\0" + (path / "environ").read_bytes() + b"\0":
                found.append(int(path.name))
    for parent in found:
        found += [pid for pid in parents if parents[pid] == parent and pid not in found]
    return found


def end(mark: str) -> None:
    """Kill the processes that were started with `mark`, and wait until they are gone."""
    last = time.monotonic() + PATIENCE_S
    while (left := started(mark)) and time.monotonic() < last:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # The main process holds the other end, so reading ends with that process.
    sys.stdin.buffer.read()
    end(sys.argv[1])
    shutil.rmtree(sys.argv[2], ignore_errors=True)
