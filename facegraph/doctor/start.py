"""Checks whether the service can start, and reports the errors of `deployments.preflight`."""

import os
import time
from collections.abc import Callable, Iterator

from deployments import preflight
from deployments.address import Address, claimed
from deployments.cluster import has_own_cluster
from deployments.errors import InUseError, StartError
from facegraph.doctor import Finding
from gallery.location import Location


def machine() -> Iterator[Finding]:
    """Check that Ray can be started on this machine, or that the cluster at RAY_ADDRESS can be reached."""
    try:
        own = has_own_cluster()
    except StartError as error:
        yield Finding("problem", str(error), "unset RAY_ADDRESS")
        return
    if not own:
        yield Finding("ok", "the Ray cluster at RAY_ADDRESS responds; its machines are not checked")
        return
    yield _found(preflight.open_files, "the open-file limit is high enough", "ulimit -Hn")
    yield _found(preflight.temporary_folder, "Ray can write its sockets and logs", "df -h /tmp")
    yield _found(preflight.object_store, "Ray has enough shared memory", "df -h /dev/shm")
    yield _found(preflight.token, "Ray's token can be stored", "ls -ld ~/.ray")
    yield _found(preflight.haproxy, "HAProxy can be started", "unset FACEGRAPH_HAPROXY")


def address(given: Address, running: bool) -> Finding:
    """Check that the service can listen on its address.

    Args:
        given: the configured address.
        running: whether a service is running, which may be listening there.
    """

    def claim() -> None:
        with claimed(given.resolved(), time.monotonic()):
            pass

    return _found(claim, f"{given} is free", f"ss -ltnp 'sport = :{given.port}'", running)


def gallery(location: Location, running: bool) -> Finding:
    """Check that the gallery is writable and not locked by another process, or that its object store can be used.

    Args:
        location: the configured location.
        running: whether a service is running, which may hold the lock.
    """
    folder = location.folder
    if folder is None:
        return _found(
            lambda: preflight.gallery_store(location),
            "the gallery's object store responds",
            "facegraph gallery list --offline",
        )
    writable = f"the gallery at {folder} is writable"
    existing = preflight.nearest(folder)
    if existing == folder:

        def reserve() -> None:
            with preflight.gallery(folder, time.monotonic()):
                pass

        return _found(reserve, writable, f"fuser -v {folder}/*.lock", running)
    # Starting the service would create the folder.
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return Finding("ok", writable)
    return Finding("problem", f"the gallery at {folder} cannot be created in {existing}", f"ls -ld {existing}")


def operator_key(file: str) -> Finding:
    """Check that the operator's key for the keys of AWS clients can be read."""
    return _found(
        lambda: preflight.operator_key(file), "the operator's key for AWS clients can be read", f"ls -l {file}"
    )


def _found(check: Callable[[], object], ok: str, command: str, running: bool = False) -> Finding:
    try:
        check()
    except StartError as error:
        if running and isinstance(error, InUseError):
            return Finding("ok", f"{str(error).rpartition(': ')[0]}, probably the running service")
        return Finding("problem", str(error), command)
    return Finding("ok", ok)
