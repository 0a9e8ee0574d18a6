"""What ends the processes of a service when its main process has ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments import guard

SERVICE = """
import subprocess, sys, time
from pathlib import Path
from deployments.guard import guarded

with guarded(Path(sys.argv[1])):
    subprocess.Popen([sys.executable, "-c", sys.argv[2]], start_new_session=True)
    time.sleep(float(sys.argv[3]))
"""
CHILD = """
import os, signal, subprocess, sys, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
print(os.getpid(), flush=True)
# As one that has overwritten its environment.
subprocess.run([sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"], env={})
"""
"""A process that ends by no signal but SIGKILL, and its child."""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


def ended(pids: list[int]) -> bool:
    """Whether all have ended, at the latest after a while."""
    last = time.monotonic() + 10
    while any(map(alive, pids)) and time.monotonic() < last:
        time.sleep(0.05)
    return not any(map(alive, pids))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "a folder of its own"
    folder.mkdir()
    (folder / "file").touch()
    return folder


@pytest.fixture
def bystander() -> Iterator[int]:
    """A process of another service, with a name that is not UTF-8, as the kernel cuts names after 15 bytes."""
    program = r"import sys; open('/proc/self/comm', 'wb').write(b'caf\xc3'); print(flush=True); sys.stdin.read()"
    environment = {**os.environ, guard.MARK: "another"}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, None])
def test_whatever_was_started_ends_with_the_main_process(
    folder: Path, bystander: int, how: signal.Signals | None
) -> None:
    command = [sys.executable, "-c", SERVICE, str(folder), CHILD, "2" if how is None else "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as service:
        assert service.stdout is not None
        children = [int(service.stdout.readline()) for _ in range(2)]
        if how is not None:
            service.send_signal(how)
    assert ended(children)
    last = time.monotonic() + 10
    while folder.exists() and time.monotonic() < last:
        time.sleep(0.05)
    assert not folder.exists()
    assert alive(bystander)


def test_a_process_that_forgot_its_mark_and_lost_its_parent_is_known() -> None:
    mark = "of this test"
    command = [sys.executable, "-c", CHILD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, guard.MARK: mark}) as child:
        assert child.stdout is not None
        pids = {int(child.stdout.readline()) for _ in range(2)}
        known = guard.started(mark, frozenset())
        assert {pid for pid, _ in known} == pids
        child.kill()
    [orphan] = guard.started(mark, known)
    assert guard.started(mark, frozenset()) == frozenset()
    # Its number given to another process.
    assert guard.started(mark, frozenset({(orphan[0], orphan[1] - 1)})) == frozenset()
    os.kill(orphan[0], signal.SIGKILL)
    assert ended([orphan[0]])
