"""What a service has of the machine at a moment: memory, open files and threads, process by process."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from load_tests.processes import command, memory_mib
from load_tests.server import Server

REPLICA = "replica "
"""How the kind of a replica begins; its deployment follows."""

_REPLICA = re.compile(r"ServeReplica:\w+:([\w-]+)")
_RAY = re.compile(r"ray::(\w+)")


@dataclass(frozen=True)
class Sample:
    """A look at the service.

    Attributes:
        at: by `time.monotonic`.
        memory: MiB (PSS) by kind of process, see `kind_of`.
        open_files, threads: how many, by kind.
        gallery_files: in the gallery's folder.
        replicas: process ids of the replicas.
    """

    at: float
    memory: Mapping[str, float]
    open_files: Mapping[str, int]
    threads: Mapping[str, int]
    gallery_files: int
    replicas: frozenset[int]


def kind_of(command: str) -> str:
    """What a process is, from its command line, whose words zero bytes part.

    A replica is `REPLICA` and its deployment, another of Ray's actors its class, a script its name, and anything
    else its program's. Empty of a process that has ended.
    """
    if found := _REPLICA.search(command):
        return REPLICA + found[1]
    if found := _RAY.match(command):
        return found[1]
    words = command.split("\0")
    return Path(next((word for word in words if word.endswith(".py")), words[0])).stem


def sample(server: Server, gallery: Path, at: float) -> Sample:
    """Look at every process of `server` and at the folder of its gallery."""
    kinds: dict[str, list[int]] = defaultdict(list)
    for pid in server.processes():
        if kind := kind_of(command(pid)):
            kinds[kind].append(pid)
    return Sample(
        at=at,
        memory={kind: memory_mib(pids) for kind, pids in kinds.items()},
        open_files={kind: _entries("fd", pids) for kind, pids in kinds.items()},
        threads={kind: _entries("task", pids) for kind, pids in kinds.items()},
        gallery_files=files_below(gallery),
        replicas=frozenset(pid for kind, pids in kinds.items() if kind.startswith(REPLICA) for pid in pids),
    )


def files_below(folder: Path) -> int:
    """Files in a folder and below. What is deleted meanwhile is no error."""
    return sum(len(files) for _, _, files in os.walk(folder))


def _entries(name: str, pids: Iterable[int]) -> int:
    found = 0
    for pid in pids:
        try:
            found += len(os.listdir(f"/proc/{pid}/{name}"))
        except (FileNotFoundError, ProcessLookupError):
            # It has ended since.
            continue
    return found
