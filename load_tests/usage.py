"""CPU time and memory of processes and of the machine.

The CPU time of a process that ended between two looks is lost.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress

import psutil


def cpu_seconds(processes: Iterable[psutil.Process]) -> dict[int, float]:
    """CPU seconds of each process so far, by its id."""
    found = {}
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            found[process.pid] = times.user + times.system
    return found


def spent(before: Mapping[int, float], after: Mapping[int, float]) -> float:
    """CPU seconds between two looks, of the processes that the second one saw."""
    return sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items())


def memory_mib(processes: Iterable[psutil.Process]) -> float:
    """Resident memory in MiB; pages that processes share are divided among them (PSS)."""
    total = 0
    for process in processes:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            total += process.memory_full_info().pss
    return total / 2**20


def machine_seconds() -> float:
    """CPU seconds that all processes of the machine took, and that its host gave to other machines (steal)."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq + times.steal)
