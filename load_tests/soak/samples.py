"""What a service's processes use at a moment."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from load_tests.service import REPLICA, RunningService, command
from load_tests.usage import memory_mib


@dataclass(frozen=True)
class Sample:
    """One look at the service.

    Attributes:
        at: by `time.monotonic`.
        memory: MiB (PSS) of all processes.
        replica_memory: MiB (PSS) by deployment.
        open_files, threads: of all processes.
        gallery_files: files in the gallery's folder.
        replicas: process ids of the replicas.
    """

    at: float
    memory: float
    replica_memory: Mapping[str, float]
    open_files: int
    threads: int
    gallery_files: int
    replicas: frozenset[int]


def sample(service: RunningService, gallery: Path, at: float) -> Sample:
    """Look at every process of `service` and at its gallery's folder."""
    memory, open_files, threads = 0.0, 0, 0
    deployments: dict[str, float] = {}
    replicas = set()
    for process in service.processes():
        # It may end meanwhile.
        with suppress(psutil.NoSuchProcess):
            used = memory_mib([process])
            memory, open_files, threads = memory + used, open_files + process.num_fds(), threads + process.num_threads()
            if found := REPLICA.search(command(process)):
                deployments[found[1]] = deployments.get(found[1], 0) + used
                replicas.add(process.pid)
    files = sum(len(names) for _, _, names in os.walk(gallery))
    return Sample(at, memory, deployments, open_files, threads, files, frozenset(replicas))
