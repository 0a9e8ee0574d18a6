"""What a machine must offer before Ray is started on it: looked at within milliseconds, without importing Ray."""

import os
import resource
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from shlex import quote
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from deployments.address import Address, claimed
from deployments.cluster import has_own_cluster
from deployments.errors import ConfigError, InUseError, StartError
from gallery.disk import GalleryInUseError, reserve
from graphs.settings import AppArgs, GalleryArgs

PATIENCE_S = 1.2
"""How long a start waits for what another service still holds: the processes of one that was killed need a moment."""

LEAST_FILES, MOST_FILES = 256, 65536
"""Open files of a process: with fewer than the first HAProxy has no room, and none needs more than the second."""

LEAST_DISK = 2**28
"""Bytes for Ray's logs and sockets."""

LEAST_STORE = 75 * 2**20
"""Bytes: Ray's least object store."""

TEMPORARY = Path("/tmp")  # noqa: S108
LONGEST_FOLDER = 107 - len("/ray/session_2026-01-31_12-00-00_000000_4194304/sockets/plasma_store")
"""Bytes of a temporary folder's path: Linux's limit for a socket, less the longest name that Ray gives one below it."""


@contextmanager
def ready(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Prepare this process for a start of Ray, and claim what the service must have for itself until the block ends.

    On a Ray cluster that runs already, that cluster's nodes have to be fit, and nothing else is looked at.

    Args:
        config: a Serve configuration with HOST and PORT of the environment.

    Yields:
        `config` with its host as a numeric address.

    Raises:
        ConfigError: `config` has no address.
        StartError: something is missing or in use.
    """
    address = Address.of(config)
    if not has_own_cluster():
        yield config
        return
    open_files()
    temporary_folder()
    object_store()
    token()
    address, until = address.resolved(), time.monotonic() + PATIENCE_S
    with ExitStack() as held:
        held.enter_context(claimed(address, until))
        for folder in _gallery_folders(config):
            held.enter_context(gallery(folder, until))
        yield {**config, "http_options": {**config.get("http_options", {}), "host": address.host}}


def fit_cores(applications: Sequence[AppArgs], found: int) -> None:
    """Check that Ray has room for one replica of everything: for others it would wait without end.

    Raises:
        StartError: it has not.
    """
    reserved = sum(args.cpus for args in applications)
    if round(reserved, 6) > found:
        which = "serve configs/laptop.yaml, or lower cpus in the configuration"
        raise StartError(f"Ray has {found} of the {reserved:g} cores that one replica of each stage reserves: {which}")


def rays_cores(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """The cores that Ray finds: the machine's, or what a container may use of them, rounded down."""
    count = os.cpu_count() or 1
    with suppress(OSError, ValueError):
        # In microseconds; without a quota the first word is "max".
        allowed, period = map(int, quota.read_text("utf-8").split())
        count = min(count, allowed // period)
    return count


def open_files() -> None:
    """Let this process and its children open as many files as they need and may.

    Raises:
        StartError: they may not open enough.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if most < LEAST_FILES:
        raise StartError(f"a process may open {hard} files, and the service needs {LEAST_FILES}: raise `ulimit -Hn`")
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def temporary_folder() -> Path:
    """Settle where Ray has its sockets and logs: in RAY_TMPDIR, else in TMPDIR, or in /tmp where that is not fit.

    A TMPDIR that is not fit is replaced, too: sockets of Python and HAProxy are in it.

    Raises:
        StartError: the folder cannot be used.
    """
    name = "RAY_TMPDIR" if os.environ.get("RAY_TMPDIR") else "TMPDIR"
    folder = Path(os.environ.get(name) or TEMPORARY).absolute()
    if name == "TMPDIR" and not _is_fit(folder):
        folder = TEMPORARY
    if len(os.fsencode(folder)) > LONGEST_FOLDER:
        raise StartError(
            f"{name} is longer than the {LONGEST_FOLDER} bytes that Ray's sockets leave for it: shorten it"
        )
    there = _found(folder / "ray")
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        raise StartError(f"{there} cannot be written to, where Ray has its sockets and logs: set {name} to a folder")
    if (free := shutil.disk_usage(there).free) < LEAST_DISK:
        needed = f"Ray needs {LEAST_DISK >> 20} for its logs"
        raise StartError(f"{there} has {free >> 20} MiB free, and {needed}: make room, or set {name}")
    os.environ["RAY_TMPDIR"] = str(folder)
    if (others := os.environ.get("TMPDIR")) and not _is_fit(Path(others).absolute()):
        os.environ["TMPDIR"] = str(folder if _is_fit(folder) else TEMPORARY)
    return folder


def _found(path: Path) -> Path:
    """`path`, or the nearest folder above it that this user can see."""
    # Unlike `Path.exists`, it raises nothing below a folder that may not be entered, as /root.
    return next(each for each in (path, *path.parents) if os.path.exists(each))


def _is_fit(folder: Path) -> bool:
    """Whether sockets can be below `folder`, and HAProxy reads it in its configuration as one word."""
    return len(os.fsencode(folder)) <= LONGEST_FOLDER and quote(str(folder)) == str(folder)


def object_store(folder: Path = Path("/dev/shm")) -> None:  # noqa: S108
    """Fit Ray's object store into shared memory, where photos do not travel.

    With less than Ray's least, which is more than Docker's default, Ray puts the store into its temporary folder.

    Raises:
        StartError: there is no shared memory.
    """
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        raise StartError(f"{folder} is missing or cannot be written to, which Ray needs: mount a tmpfs on it")
    # Ray itself leaves so much room, but takes up to 10 GB whatever there is.
    most = max(LEAST_STORE, shutil.disk_usage(folder).free * 95 // 100)
    os.environ.setdefault("RAY_DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES", str(most))


def token() -> None:
    """Give Ray a token for this start alone where the user has no home that keeps one.

    Raises:
        StartError: the file that RAY_AUTH_TOKEN_PATH names cannot be read.
    """
    if os.environ.get("RAY_AUTH_TOKEN"):
        return
    if path := os.environ.get("RAY_AUTH_TOKEN_PATH"):
        if not os.access(path, os.R_OK):
            raise StartError(f"RAY_AUTH_TOKEN_PATH is {path!r}, which cannot be read: write a token into it")
        return
    with suppress(RuntimeError):
        # Which a user without an entry in passwd and without HOME has not.
        kept = Path.home() / ".ray" / "auth_token"
        there = _found(kept)
        if os.access(there, os.R_OK if there == kept else os.W_OK | os.X_OK):
            return
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


@contextmanager
def gallery(folder: Path, until: float) -> Iterator[None]:
    """Keep other services off the gallery in `folder` until the block ends.

    Args:
        until: when to give up, by `time.monotonic`.

    Raises:
        StartError: the folder cannot be written to, or something else serves or writes to it.
    """
    with ExitStack() as held:
        try:
            held.enter_context(reserve(folder, until))
        except GalleryInUseError as error:
            raise InUseError(f"{error}: end it, or set GALLERY_URI to another folder") from error
        except OSError as error:
            raise StartError(
                f"the gallery at {folder} cannot be written to: {error.strerror}; set GALLERY_URI to another folder"
            ) from error
        yield


def _gallery_folders(config: Mapping[str, Any]) -> Iterator[Path]:
    folders, applications = set[Path](), config.get("applications")
    for application in applications if isinstance(applications, list) else ():
        # What is malformed is told by its place when the whole configuration is checked.
        with suppress(ValidationError, SettingsError, AttributeError):
            uri = GalleryArgs.model_validate(application.get("args", {}).get("gallery", {})).uri
            if "://" in uri:
                continue
            if (folder := Path(uri)).resolve() in folders:
                raise ConfigError(f"two applications share the gallery at {folder}, which has one writer")
            folders.add(folder.resolve())
            yield folder
