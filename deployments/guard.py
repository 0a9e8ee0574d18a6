"""Kills all processes of a service once its main process has exited, even by SIGKILL.

Ray's own processes exit with their parents, but some take half a minute, and HAProxy would keep the port. This module
is also the program that waits for the main process, so it imports only the standard library.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

MARK = "FACEGRAPH_SERVICE"
"""Environment variable that marks the processes of one service."""

PERIOD_S = 2
"""Seconds between scans.

A single scan at the end would miss Ray's processes, because their titles overwrite the environment by then.
"""
EXIT_TIMEOUT_S = 30
"""Seconds to wait for killed processes to exit; one may be stuck in the kernel."""

Process: TypeAlias = tuple[int, int]
"""PID and start time of a process, since the kernel reuses PIDs."""


@contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """When the block or this process ends, kill the processes that it started in the block, and remove `folder`.

    Needs ``/proc``; on other systems it kills nothing.
    """
    mark = uuid4().hex
    command = [sys.executable, "-I", "-S", __file__, mark, str(folder)]
    # In its own session, the guard gets no signals sent by the terminal or to this process's group.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ):
        os.environ[MARK] = mark
        try:
            yield
        finally:
            del os.environ[MARK]


def started(mark: str, known: frozenset[Process]) -> frozenset[Process]:
    """Return live processes that have `mark` in their environment or are among `known`, and all their descendants."""
    entry, found, parents = f"\0{MARK}={mark}\0".encode(), list[Process](), dict[Process, int]()
    for path in Path("/proc").glob("[0-9]*"):
        # Skip other users' processes, and processes that have exited in the meantime.
        with suppress(OSError):
            fields = (path / "stat").read_bytes().rpartition(b")")[2].split()
            process = int(path.name), int(fields[19])
            if fields[0] != b"Z":
                parents[process] = int(fields[1])
                if process in known or entry in b"\0" + (path / "environ").read_bytes() + b"\0":
                    found.append(process)
    for pid, _ in found:
        found += [process for process, parent in parents.items() if parent == pid and process not in found]
    return frozenset(found)


def watch(mark: str) -> None:
    """Wait until standard input is closed, then kill the processes started with `mark`, and wait until they exit."""
    known = frozenset[Process]()
    while not select.select([sys.stdin], [], [], PERIOD_S)[0]:
        known = started(mark, known)
    last = time.monotonic() + EXIT_TIMEOUT_S
    while (known := started(mark, known)) and time.monotonic() < last:
        for pid, _ in known:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watch(sys.argv[1])
    shutil.rmtree(sys.argv[2], ignore_errors=True)
