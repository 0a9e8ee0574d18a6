"""What a service's processes use at a moment."""

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import psutil

from load_tests.service import REPLICA, RunningService, command_line
from load_tests.usage import memory_mib


@dataclass(frozen=True)
class Sample:
    """One look at the service.

    Attributes:
        at: by `time.monotonic`.
        memory: MiB (PSS) of all processes.
        replica_memory: MiB (PSS) of all replicas.
        open_files, threads: of all processes.
        gallery_files: files in the gallery's folder.
        replicas: the deployment of each replica, by its process id.
    """

    at: float
    memory: float
    replica_memory: float
    open_files: int
    threads: int
    gallery_files: int
    replicas: Mapping[int, str]

    @property
    def counts(self) -> Counter[str]:
        """The number of replicas of each deployment."""
        return Counter(self.replicas.values())


def sample(service: RunningService) -> Sample:
    """Look at every process of `service` and at its gallery's folder."""
    at, memory, of_replicas, open_files, threads = time.monotonic(), 0.0, 0.0, 0, 0
    replicas: dict[int, str] = {}
    for process in service.processes():
        # It may end meanwhile.
        with suppress(psutil.NoSuchProcess):
            used = memory_mib([process])
            memory, open_files, threads = memory + used, open_files + process.num_fds(), threads + process.num_threads()
            if found := REPLICA.search(command_line(process)):
                replicas[process.pid] = found[1]
                of_replicas += used
    files = sum(len(names) for _, _, names in os.walk(service.gallery))
    return Sample(at, memory, of_replicas, open_files, threads, files, replicas)


def samples_for(seconds: float, pause: float, service: RunningService) -> Iterator[Sample]:
    """Look at the service every `pause` seconds, the first time now.

    Raises:
        RuntimeError: the service has ended.
    """
    end = time.monotonic() + seconds
    while (moment := time.monotonic()) < end:
        yield (found := sample(service))
        if not found.replicas:
            raise RuntimeError("the service has ended; its log says why")
        time.sleep(max(0.0, moment + pause - time.monotonic()))
