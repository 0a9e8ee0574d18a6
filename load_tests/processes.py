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
"""Finds the name of the deployment in a replica's command line."""
MEMORY, OPEN_FILES, THREADS = "memory, MiB", "open files", "threads"
REPLICA_MEMORY, GALLERY_FILES = "memory of the replicas, MiB", "files of the gallery"
RESOURCES = (MEMORY, REPLICA_MEMORY, OPEN_FILES, THREADS, GALLERY_FILES)
"""Resources of a service. Memory is the proportional set size (PSS), which divides shared pages among processes."""


@dataclass(frozen=True)
class Sample:
    """One sample of a service's processes and its gallery.

    Attributes:
        at: time of the sample, by `time.monotonic`.
        cpu: CPU seconds of each process so far, by process id.
        machine_cpu: CPU seconds of all programs on the machine so far.
        replicas: the deployment of each replica, by its process id.
        used: amount of each of `RESOURCES`.
    """

    at: float
    cpu: Mapping[int, float]
    machine_cpu: float
    replicas: Mapping[int, str]
    used: Mapping[str, float]

    @property
    def counts(self) -> Counter[str]:
        """The number of replicas of each deployment."""
        return Counter(self.replicas.values())


def sample(process: psutil.Process, gallery: Path | None = None) -> Sample:
    """Sample a process and all its descendants, and the folder of its gallery."""
    at, machine, cpu, replicas = time.monotonic(), psutil.cpu_times(), cpu_times(process), dict[int, str]()
    machine_cpu = machine.user + machine.nice + machine.system + machine.irq + machine.softirq + machine.steal
    used = dict.fromkeys(RESOURCES, 0.0)
    for each in family(process):
        # The process may exit in the meantime.
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            memory = each.memory_full_info().pss / 2**20
            own = {MEMORY: memory, OPEN_FILES: each.num_fds(), THREADS: each.num_threads()}
            if found := REPLICA.search(command_line(each)):
                replicas[each.pid] = found[1]
                own[REPLICA_MEMORY] = memory
            used |= {what: used[what] + amount for what, amount in own.items()}
    if gallery:
        used[GALLERY_FILES] = sum(len(names) for _, _, names in os.walk(gallery))
    return Sample(at, cpu, machine_cpu, replicas, used)


def cpu_times(process: psutil.Process) -> dict[int, float]:
    """Return the CPU seconds of a process and all its descendants so far, by process id."""
    found = dict[int, float]()
    for each in family(process):
        # The process may exit in the meantime.
        with suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            found[each.pid] = times.user + times.system
    return found


def family(process: psutil.Process) -> list[psutil.Process]:
    """Return a process and its descendants."""
    return [process, *process.children(recursive=True)]


def command_line(process: psutil.Process) -> str:
    """Return the command line of a process; empty if it has exited."""
    with suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())
    return ""
