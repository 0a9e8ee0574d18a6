"""Ending a service's processes once its main process has ended."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments import guard
from tests.waiting import until

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
subprocess.run([sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"], env={})
"""
"""A process that only SIGKILL ends, and a child of it without the mark in its environment."""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


@pytest.fixture
def bystander() -> Iterator[int]:
    """A process of another service. The kernel cuts its name within a letter, so that it is not UTF-8."""
    program = r"import sys; open('/proc/self/comm', 'wb').write(b'caf\xc3'); print(flush=True); sys.stdin.read()"
    environment, pipe = {**os.environ, guard.MARK: "another"}, subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe, env=environment) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid


@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, None])
def test_processes_and_folder_go_with_the_main_process(
    tmp_path: Path, bystander: int, ended_by: signal.Signals | None
) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "file").touch()
    command = [sys.executable, "-c", SERVICE, str(folder), CHILD, "1" if ended_by is None else "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as service:
        assert service.stdout is not None
        children = [int(service.stdout.readline()) for _ in range(2)]
        if ended_by is not None:
            service.send_signal(ended_by)
    until(lambda: not any(map(is_alive, children)) and not folder.exists())
    assert is_alive(bystander)


def test_process_without_mark_and_parent_is_still_known() -> None:
    mark = "of this test"
    command = [sys.executable, "-c", CHILD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, guard.MARK: mark}) as child:
        assert child.stdout is not None
        pids = {int(child.stdout.readline()) for _ in range(2)}
        known = guard.started(mark, frozenset())
        assert {pid for pid, _ in known} == pids
        child.kill()
    [orphan] = guard.started(mark, known)
    # A later process may get the same number; its start time differs.
    assert guard.started(mark, frozenset({(orphan[0], orphan[1] - 1)})) == frozenset()
    os.kill(orphan[0], signal.SIGKILL)
