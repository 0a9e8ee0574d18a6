"""CPU time and memory of processes, from /proc."""

import mmap
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from load_tests.processes import command, cpu_seconds, family, machine_seconds, memory_mib, spent

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.argv[1], "60"])
print(child.pid, flush=True)
sys.stdin.readline()
child.kill()
child.wait()
"""


@contextmanager
def parent_of(program: Path | str) -> Iterator[tuple[int, int]]:
    """Process ids of a parent and of its child, which runs `program` 60."""
    arguments = [sys.executable, "-c", PARENT, str(program)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        yield parent.pid, int(parent.stdout.readline())
        parent.communicate("end\n")


def test_a_family_is_a_process_and_its_descendants(tmp_path: Path) -> None:
    # A name may have brackets and spaces in it, which a process's line in /proc does not escape.
    program = tmp_path / "a) S 1 ("
    shutil.copy(shutil.which("sleep") or "", program)
    with parent_of(program) as (parent, child):
        assert family(parent) == [parent, child]
        found = family(os.getpid())
        assert found[0] == os.getpid()
        assert {parent, child} < set(found)
        assert set(cpu_seconds([child])) == {child}
        assert command(child) == f"{program}\x0060\x00"


def test_cpu_time_is_what_the_process_has_taken() -> None:
    times = os.times()
    assert abs(cpu_seconds([os.getpid()])[os.getpid()] - times.user - times.system) < 0.5


def test_a_process_that_has_ended_takes_nothing() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert cpu_seconds([ended.pid]) == {}
    assert memory_mib([ended.pid]) == 0
    assert command(ended.pid) == ""


def test_spent_is_the_difference_and_all_of_a_new_process() -> None:
    assert spent({1: 10.0, 2: 3.0}, {1: 12.5, 3: 0.5}) == 3.0


def test_memory_grows_by_what_is_written() -> None:
    before = memory_mib([os.getpid()])
    # Of its own: what the tests before have freed is not used again for it.
    with mmap.mmap(-1, 64 * 2**20) as block:
        block.write(b"x" * len(block))
        assert 60 < memory_mib([os.getpid()]) - before < 80


def test_the_machine_was_busy_at_least_as_long_as_this_process() -> None:
    busy, stolen = machine_seconds()
    assert busy >= cpu_seconds([os.getpid()])[os.getpid()]
    assert stolen >= 0
