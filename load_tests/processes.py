"""Resource usage of processes at one moment."""

import os
import re
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

REPLICA = re.compile(r"ServeReplica:facegraph:([\w-]+)")
"""The deployment in the command line of one of its replicas."""


@dataclass(frozen=True)
class Sample:
    """One sample of a service's processes and its gallery.

    Attributes:
        at: by `time.monotonic`.
        cpu: CPU seconds of each process so far, by its id.
        memory, replica_memory: MiB of all processes and of the replicas only. Shared pages are divided (PSS).
        gallery_files: files in the gallery's folder.
        replicas: the deployment of each replica, by its process id.
        machine_cpu: CPU seconds of all programs on the machine so far.
    """

    at: float
    cpu: Mapping[int, float]
    memory: float
    replica_memory: float
    open_files: int
    threads: int
    gallery_files: int
    replicas: Mapping[int, str]
    machine_cpu: float = 0.0

    @property
    def counts(self) -> Counter[str]:
        """The number of replicas of each deployment."""
        return Counter(self.replicas.values())


def sample(process: psutil.Process, gallery: Path | None = None) -> Sample:
    """Sample a process and all its descendants."""
    at, of_all, of_replicas, open_files, threads = time.monotonic(), 0.0, 0.0, 0, 0
    machine = psutil.cpu_times()
    machine_cpu = machine.user + machine.nice + machine.system + machine.irq + machine.softirq + machine.steal
    cpu: dict[int, float] = {}
    replicas: dict[int, str] = {}
    for each in family(process):
        # It may exit in the meantime.
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            times, memory = each.cpu_times(), each.memory_full_info().pss / 2**20
            cpu[each.pid] = times.user + times.system
            of_all, open_files, threads = of_all + memory, open_files + each.num_fds(), threads + each.num_threads()
            if found := REPLICA.search(command_line(each)):
                replicas[each.pid] = found[1]
                of_replicas += memory
    files = sum(len(names) for _, _, names in os.walk(gallery)) if gallery else 0
    return Sample(at, cpu, of_all, of_replicas, open_files, threads, files, replicas, machine_cpu)


def family(process: psutil.Process) -> list[psutil.Process]:
    """Return a process and its descendants."""
    return [process, *process.children(recursive=True)]


def command_line(process: psutil.Process) -> str:
    """Return the command line; empty if the process has exited."""
    with suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())
    return ""
