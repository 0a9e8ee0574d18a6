"""Watching processes at work for a stretch of time: what they are told, and what the server behind them takes."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from load_tests.processes import cpu_seconds, machine_seconds, memory_mib, spent
from load_tests.work import Answer, sleep_until
from project.root import ROOT


class EndedError(Exception):
    """A process of a measurement ended before it had said what it found; the message has its last words."""


@dataclass(frozen=True)
class Watched:
    """What was seen in a stretch.

    Attributes:
        seconds: its length.
        arrived, answered: as `load_tests.work.Stretch` has them, of all workers together.
        server_s, workers_s: CPU time of the server, and of the processes that asked it; these are 0 where
            they are the server themselves.
        others_s, stolen_s: CPU time of all other processes, and what the machine's host gave to other machines.
        memory_mib: of the server, at the end.
    """

    seconds: float
    arrived: list[Answer]
    answered: float
    server_s: float
    workers_s: float
    others_s: float
    stolen_s: float
    memory_mib: float


def watch(
    commands: Sequence[Sequence[str]], seconds: float, server: Callable[[], list[int]] | None = None, **variables: str
) -> Watched:
    """Run Python with the arguments of each of `commands`, all of which `work`, and watch them for `seconds`.

    Args:
        server: the processes that are asked, at the time of the call; None where those of `commands` answer.
        variables: of the environment of `commands`.

    Raises:
        EndedError: one of them ended, or took too long.
    """
    with ExitStack() as held:
        workers = [held.enter_context(_started(command, variables)) for command in commands]
        for worker in workers:
            _read(worker)
        # Time enough to tell them all.
        begin = time.monotonic() + 0.1
        end = begin + seconds
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write(f"{begin} {end}\n")
            worker.stdin.flush()
        pids = [worker.pid for worker in workers]
        sleep_until(begin)
        before = _look(pids, server)
        sleep_until(end)
        after = _look(pids, server)
        memory = memory_mib(after.server)
        stretches = [json.loads(_read(worker)) for worker in workers]
    server_s, workers_s = spent(before.server, after.server), spent(before.workers, after.workers)
    (busy_before, stolen_before), (busy, stolen) = before.machine, after.machine
    return Watched(
        seconds=seconds,
        arrived=[Answer(**entry) for stretch in stretches for entry in stretch["arrived"]],
        answered=sum(stretch["answered"] for stretch in stretches),
        server_s=server_s,
        workers_s=workers_s,
        others_s=max(0.0, busy - busy_before - server_s - workers_s),
        stolen_s=stolen - stolen_before,
        memory_mib=memory,
    )


@dataclass(frozen=True)
class _Look:
    """CPU seconds so far: of the server's and the workers' processes, and of the machine."""

    server: dict[int, float]
    workers: dict[int, float]
    machine: tuple[float, float]


def _look(pids: list[int], server: Callable[[], list[int]] | None) -> _Look:
    if server is None:
        return _Look(cpu_seconds(pids), {}, machine_seconds())
    return _Look(cpu_seconds(server()), cpu_seconds(pids), machine_seconds())


@contextmanager
def _started(command: Sequence[str], variables: Mapping[str, str]) -> Iterator["subprocess.Popen[str]"]:
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env={**os.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield process
        except EndedError as error:
            errors.seek(0)
            raise EndedError(f"{error}\n{errors.read()[-2000:]}") from None
        finally:
            # Ended already, unless the measurement failed.
            process.kill()


def _read(worker: "subprocess.Popen[str]") -> str:
    assert worker.stdout is not None
    line = worker.stdout.readline()
    if not line.endswith("\n"):
        raise EndedError(f"{worker.args!r} ended before its time")
    return line
