"""What ends the processes of a service when its main process has ended, however that ended.

Ray's own processes end with their parents, but some take half a minute, and a proxy without its parent would keep the
port. The module is also the program that waits for the end; it is started with the standard library alone.
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
"""Variable of the environment that all processes of one service share, and nobody else has."""

PATIENCE_S = 30
"""A process that the kernel does not end is not waited for any longer."""


@contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """Have what this process starts from now on killed, and `folder` removed, once this process has ended.

    On leaving it all that was started is killed, too. Needs ``/proc``, so that elsewhere nothing is guarded.
    """
    mark = uuid4().hex
    command = [sys.executable, "-I", "-S", __file__, mark, str(folder)]
    # A session of its own: a signal to the terminal's processes, or to this one's group, ends it no sooner.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ):
        os.environ[MARK] = mark
        try:
            yield
        finally:
            del os.environ[MARK]


def started(mark: str) -> list[int]:
    """The processes that have `mark` in their environment, and their descendants: a process may overwrite its own."""
    entry, found = f"\0{MARK}={mark}\0".encode(), list[int]()
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*"):
        # Others' processes, and those that have ended meanwhile.
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
    # Its other end is open as long as the service's main process lives.
    sys.stdin.buffer.read()
    end(sys.argv[1])
    shutil.rmtree(sys.argv[2], ignore_errors=True)
