"""Checks of this machine before Ray starts.

They do not import Ray, and take milliseconds unless a gallery is in an object store.
"""

import os
import resource
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_settings import SettingsError

from access.key_encryption import KeyCipher
from access.keys import KeysError
from access.settings import AccessArgs
from deployments.address import Address, claimed
from deployments.cluster import has_own_cluster, token_file
from deployments.errors import ConfigError, InUseError, StartError
from gallery.location import Location
from gallery.settings import GalleryArgs
from gallery.storage.disk import GalleryInUseError, reserve
from graphs.settings import AppArgs
from project.environment import EnvironmentSettings

Settings = TypeVar("Settings", bound=EnvironmentSettings)

RELEASE_WAIT_S = 1.2
"""Seconds to wait for a port or gallery in use: the processes of a killed service need a moment to exit."""

MIN_FILES, MAX_FILES = 256, 65536
"""Minimum and maximum open-file limit: HAProxy needs at least the first, and nothing needs more than the second."""

MIN_DISK = 2**28
"""Free disk space that Ray needs for logs and sockets, in bytes."""

MIN_STORE = 75 * 2**20
"""Ray's minimum object store size, in bytes."""

LONGEST_FOLDER = 107 - len("/ray/session_2026-01-31_12-00-00_000000_4194304/sockets/plasma_store")
"""Maximum length of the temporary folder's path, in bytes: Linux's limit for socket paths, minus the longest name that
Ray appends."""


@contextmanager
def ready(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Prepare this process for Ray, and reserve the address and the galleries until the block ends.

    An existing Ray cluster has its own address, gallery and folders, so only its reachability is checked.

    Args:
        config: a Serve configuration, with HOST and PORT from the environment applied.

    Yields:
        `config` with its host as a numeric address.

    Raises:
        ConfigError: the address in `config` is malformed, or two applications share a gallery.
        StartError: something that the service needs is missing or in use.
    """
    address = Address.of(config)
    if not has_own_cluster():
        yield config
        return
    open_files()
    temporary_folder()
    object_store()
    token()
    haproxy()
    for access in _settings(config, "access", AccessArgs):
        operator_key(access.rekognition_key_file)
    address, until = address.resolved(), time.monotonic() + RELEASE_WAIT_S
    with ExitStack() as held:
        held.enter_context(claimed(address, until))
        for location in _galleries(config):
            if location.folder is None:
                gallery_store(location)
            else:
                held.enter_context(gallery(location.folder, until))
        yield {**config, "http_options": {**config.get("http_options", {}), "host": address.host}}


def fit_cores(applications: Sequence[AppArgs], found: int) -> None:
    """Check that one replica of each deployment fits on the available cores. Otherwise Ray would wait forever.

    Raises:
        StartError: they do not fit.
    """
    reserved = sum(args.cpus for args in applications)
    if round(reserved, 6) > found:
        which = "serve configs/laptop.yaml, or lower cpus in the configuration"
        raise StartError(f"one replica of each stage needs {reserved:g} cores, but Ray has {found}: {which}")


def rays_cores(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Return the number of cores that Ray finds: the machine's, or a container's quota, rounded down."""
    count = os.cpu_count() or 1
    with suppress(OSError, ValueError):
        # The quota and its period are in microseconds. Without a quota, the first word is "max" instead of a number.
        allowed, period = map(int, quota.read_text("utf-8").split())
        count = min(count, allowed // period)
    return count


def open_files() -> None:
    """Raise the open-file limit of this process and its children, up to the hard limit.

    Raises:
        StartError: the hard limit is too low.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if most < MIN_FILES:
        raise StartError(f"the open-file limit is {hard}, but the service needs {MIN_FILES}: raise `ulimit -Hn`")
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def temporary_folder() -> Path:
    """Choose the folder for Ray's sockets and logs: RAY_TMPDIR, else TMPDIR, else /tmp.

    A TMPDIR that is too long is replaced by /tmp for all processes, because Python also creates sockets there.

    Raises:
        StartError: the folder cannot be used.
    """
    if len(os.fsencode(Path(os.environ.get("TMPDIR", "/")).absolute())) > LONGEST_FOLDER:
        os.environ["TMPDIR"] = "/tmp"  # noqa: S108
    name = "RAY_TMPDIR" if os.environ.get("RAY_TMPDIR") else "TMPDIR"
    folder = Path(os.environ.get(name) or "/tmp").absolute()  # noqa: S108
    if len(os.fsencode(folder)) > LONGEST_FOLDER:
        raise StartError(f"{name} is too long: Ray's sockets allow at most {LONGEST_FOLDER} bytes. Use a shorter path")
    there = nearest(folder / "ray")
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        raise StartError(
            f"cannot write to {there}, which Ray needs for sockets and logs: set {name} to a writable folder"
        )
    if (free := shutil.disk_usage(there).free) < MIN_DISK:
        needed = f"Ray needs {MIN_DISK >> 20} MiB for its logs"
        raise StartError(f"{there} has only {free >> 20} MiB free, but {needed}: free some space, or set {name}")
    os.environ["RAY_TMPDIR"] = str(folder)
    return folder


def nearest(path: Path) -> Path:
    """Return `path`, or its nearest parent that exists and is visible to this user."""
    # Below a folder that this user cannot enter, such as /root, `Path.exists` would raise PermissionError.
    return next(each for each in (path, *path.parents) if os.path.exists(each))


def object_store(folder: Path = Path("/dev/shm")) -> None:  # noqa: S108
    """Limit Ray's object store to the free shared memory. A small store is enough, as photos do not pass through it.

    If that is below Ray's minimum (as with Docker's default), Ray creates the store in its temporary folder.

    Raises:
        StartError: there is no shared memory.
    """
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        raise StartError(f"{folder} is missing or not writable, but Ray needs it: mount a tmpfs there")
    # Ray itself also leaves 5 % free, but takes up to 10 GB even if other programs use the shared memory.
    most = max(MIN_STORE, shutil.disk_usage(folder).free * 95 // 100)
    os.environ.setdefault("RAY_DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES", str(most))


def token() -> None:
    """Create a token for this run if none is given and Ray cannot keep one in the home folder.

    Raises:
        StartError: the file in RAY_AUTH_TOKEN_PATH cannot be read or is empty.
    """
    if os.environ.get("RAY_AUTH_TOKEN"):
        return
    if path := os.environ.get("RAY_AUTH_TOKEN_PATH"):
        with suppress(OSError):
            if Path(path).read_bytes().strip():
                return
        raise StartError(
            f"no token can be read from {path!r} (RAY_AUTH_TOKEN_PATH): write one to that file, or unset it"
        )
    if kept := token_file():
        there = nearest(kept)
        if os.access(there, os.R_OK if there == kept else os.W_OK | os.X_OK):
            return
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def haproxy() -> None:
    """Check that the HAProxy that an environment variable selects can be started. Serve would try again and again.

    Raises:
        StartError: there is no such program.
    """
    if (os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") or "1") != "1":
        return
    for name in ("FACEGRAPH_HAPROXY", "RAY_SERVE_HAPROXY_BINARY_PATH"):
        if (program := os.environ.get(name)) and shutil.which(program) is None:
            raise StartError(f"{name} is {program!r}, which is not a program: correct it, or unset it")


def operator_key(file: str) -> None:
    """Check that the operator's key, which encrypts the keys of AWS clients, can be read.

    Args:
        file: its path; empty if there is none.

    Raises:
        StartError: the file cannot be read or does not contain such a key.
    """
    try:
        if file:
            KeyCipher(Path(file))
    except KeysError as error:
        raise StartError(
            f"{error}; create a key with `facegraph keys create --aws`, or unset REKOGNITION_KEY_FILE"
        ) from error


@contextmanager
def gallery(folder: Path, until: float) -> Iterator[None]:
    """Reserve the gallery in `folder` until the block ends.

    Args:
        until: time to give up, by `time.monotonic`.

    Raises:
        StartError: the folder is not writable, or another process serves the gallery or writes to it.
    """
    with ExitStack() as held:
        try:
            held.enter_context(reserve(folder, until))
        except GalleryInUseError as error:
            raise InUseError(f"{error}: stop it, or set GALLERY_URI to another folder") from error
        except OSError as error:
            raise StartError(
                f"cannot write to the gallery at {folder}: {error.strerror}; set GALLERY_URI to another folder"
            ) from error
        yield


def gallery_store(location: Location) -> None:
    """Check that a gallery's object store accepts the credentials.

    Raises:
        StartError: it does not, or cannot be reached.
    """
    # In another process, because importing LanceDB takes memory.
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        problem = process.submit(_store_problem, location).result()
    if problem:
        raise StartError(f"the gallery's object store {problem}: correct GALLERY_URI or the store's own variables")


def _store_problem(location: Location) -> str | None:
    from gallery.storage.object_store import connection_problem

    return connection_problem(location)


def _galleries(config: Mapping[str, Any]) -> Iterator[Location]:
    folders = set[Path]()
    for args in _settings(config, "gallery", GalleryArgs):
        location = Location(args.uri, args.storage_options)
        if location.folder is not None:
            if (folder := location.folder.resolve()) in folders:
                raise ConfigError(f"two applications use the gallery at {folder}, but it can have only one writer")
            folders.add(folder)
        yield location


def _settings(config: Mapping[str, Any], name: str, kind: type[Settings]) -> Iterator[Settings]:
    applications = config.get("applications")
    for application in applications if isinstance(applications, list) else ():
        # `deployments.config.check_config` reports malformed arguments later, with their location.
        with suppress(ValidationError, SettingsError, AttributeError):
            yield kind.model_validate(application.get("args", {}).get(name, {}))
