"""What a replica uses of its node, reported to the autoscaling policy."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import ray

CPU_TIMES = Path("/proc/stat")
"""Linux's CPU times since the machine's start. The cores are the machine's, even inside a container."""

BUSY, CORES, IDLE, RESERVED = "busy", "cores", "idle:", "reserved:"
"""Names of the measurements. The id of a node is appended to the third, and the name of a resource to the last."""


class Usage:
    """Measures usage between calls of `measure`, for a replica's `record_autoscaling_stats`.

    Args:
        busy_s: returns the seconds so far in which workers were running, summed over the workers.
        workers: number of workers.
    """

    def __init__(self, busy_s: Callable[[], float], workers: int) -> None:
        self._busy_s, self._workers = busy_s, workers
        self._last: tuple[float, ...] | None = None

    def measure(self) -> dict[str, float]:
        """Return averages since the last call, and what the replica reserves. The first call returns only the latter.

        Returns:
            `BUSY`: share of the time in which the workers were running, from 0 to 1. `CORES`: CPU seconds of this
            process per second. `IDLE`: cores of the machine that no process used. `RESERVED`: amounts in Ray.
        """
        context, last = ray.get_runtime_context(), self._last
        self._last = time.perf_counter(), self._busy_s(), time.process_time(), _idle_core_seconds()
        reserved = context.get_assigned_resources()  # type: ignore[no-untyped-call]
        measured = {f"{RESERVED}{name}": float(amount) for name, amount in reserved.items()}
        if last is not None:
            seconds, busy, used, idle = (now - then for now, then in zip(self._last, last, strict=True))
            measured |= {BUSY: min(1.0, busy / seconds / self._workers), CORES: used / seconds}
            measured[f"{IDLE}{context.get_node_id()}"] = idle / seconds
        return measured


def _idle_core_seconds() -> float:
    """Return the seconds for which the machine's cores have been idle or waiting for a disk, summed over the cores.

    Only Linux has `CPU_TIMES`. Elsewhere, all cores count as idle.
    """
    if not CPU_TIMES.exists():
        return (os.cpu_count() or 1) * time.perf_counter()
    _, _, _, _, idle, disk, *_ = CPU_TIMES.read_text("ascii").split(maxsplit=6)
    return (int(idle) + int(disk)) / os.sysconf("SC_CLK_TCK")
