"""What processes take of the machine, and what is left of it: CPU time and memory, read from /proc.

The CPU time of a process that has ended is lost: a replica that is started and stopped between two
looks is not seen.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """A process and its descendants, youngest last."""
    parents = {int(path.name): _parent(path) for path in Path("/proc").iterdir() if path.name.isdigit()}
    found = [pid]
    for member in found:
        found += [child for child, parent in parents.items() if parent == member]
    return found


def command(pid: int) -> str:
    """The command line, its words parted by zero bytes; empty of a process that has ended."""
    return _read(Path(f"/proc/{pid}/cmdline"))


def cpu_seconds(pids: Iterable[int]) -> dict[int, float]:
    """Seconds of CPU time that each process has taken so far; those that have ended are left out."""
    fields = {pid: _fields(Path(f"/proc/{pid}")) for pid in pids}
    return {pid: (int(entry[11]) + int(entry[12])) / _TICKS_PER_S for pid, entry in fields.items() if entry}


def spent(before: Mapping[int, float], after: Mapping[int, float]) -> float:
    """Seconds of CPU time between two looks, of the processes that the second one saw."""
    return sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items())


def memory_mib(pids: Iterable[int]) -> float:
    """Resident memory in MiB, each page that several processes share divided among them (PSS)."""
    rollups = (_read(Path(f"/proc/{pid}/smaps_rollup")) for pid in pids)
    lines = (line.split() for rollup in rollups for line in rollup.splitlines() if line.startswith("Pss:"))
    return sum(int(kib) for _, kib, _ in lines) / 1024


def machine_seconds() -> tuple[float, float]:
    """Seconds of CPU time that all processes of the machine took, and that its host gave to others (steal)."""
    user, nice, system, _, _, irq, softirq, steal = map(int, _read(Path("/proc/stat")).split()[1:9])
    return (user + nice + system + irq + softirq) / _TICKS_PER_S, steal / _TICKS_PER_S


def _parent(process: Path) -> int:
    fields = _fields(process)
    return int(fields[1]) if fields else 0


def _fields(process: Path) -> list[str]:
    """What stands in its `stat` behind the name, which is in brackets and may have anything in it."""
    return _read(process / "stat").rpartition(")")[2].split()


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
