"""What stands in the way of a start: the checks of `deployments.preflight`, in its own sentences."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from deployments import preflight
from deployments.address import Address, claimed
from deployments.cluster import has_own_cluster
from deployments.errors import InUseError, StartError
from facegraph.doctor.finding import Finding


def machine() -> Iterator[Finding]:
    """Check that Ray can be started on this machine, or that the cluster RAY_ADDRESS names can be reached."""
    try:
        own = has_own_cluster()
    except StartError as error:
        yield Finding("problem", str(error), "unset RAY_ADDRESS")
        return
    if not own:
        yield Finding("ok", "the Ray cluster of RAY_ADDRESS answers; its machines are not looked at")
        return
    yield _found(preflight.open_files, "enough open files are allowed", "ulimit -Hn")
    yield _found(preflight.temporary_folder, "Ray's sockets and logs have a folder", "df -h /tmp")
    yield _found(preflight.object_store, "Ray has shared memory", "df -h /dev/shm")
    yield _found(preflight.token, "Ray's token can be kept", "ls -ld ~/.ray")


def address(given: Address, running: bool) -> Finding:
    """Check that the service can listen on its address; `running` says that the service may be what listens there."""
    check = _held(lambda: claimed(given.resolved(), time.monotonic()))
    return _found(check, f"{given} is free", f"ss -ltnp 'sport = :{given.port}'", running)


def gallery(uri: str, running: bool) -> Finding:
    """Check that the gallery can be written to and nothing else uses it; `running` as in `address`."""
    if "://" in uri:
        return Finding("ok", f"the gallery is in an object store, which is not looked at: {uri.partition('://')[0]}://")
    folder = Path(uri)
    free = f"the gallery at {folder} can be written to"
    there = preflight.nearest(folder)
    if there == folder:
        check = _held(lambda: preflight.gallery(folder, time.monotonic()))
        return _found(check, free, f"fuser -v {folder}/*.lock", running)
    # A start would make the folder.
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return Finding("ok", free)
    return Finding("problem", f"the gallery at {folder} cannot be made in {there}", f"ls -ld {there}")


def _found(check: Callable[[], object], ok: str, command: str, running: bool = False) -> Finding:
    try:
        check()
    except StartError as error:
        if running and isinstance(error, InUseError):
            return Finding("ok", f"{str(error).rpartition(': ')[0]}, the running service as a rule")
        return Finding("problem", str(error), command)
    return Finding("ok", ok)


def _held(claim: Callable[[], AbstractContextManager[object]]) -> Callable[[], None]:
    """A check that a claim can be had; it is let go at once."""

    def check() -> None:
        with claim():
            pass

    return check
