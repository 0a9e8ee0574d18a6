"""`python -m supply.locked cpu torch` prints the lines of requirements.lock that the service needs with these extras.

An extra is an optional dependency or a dependency group of pyproject.toml, such as ``cpu`` or ``dev``. For each
package, the lock file lists the packages that require it (``# via``). Apart from `project.root`, only the standard
library is imported, because nothing is installed yet.
"""

import re
import sys
import tomllib
from collections.abc import Collection
from pathlib import Path

from project.root import ROOT

RUNTIMES = frozenset({"cpu", "gpu"})
"""Extras that exclude each other, because both install into the folder onnxruntime. One of them is needed."""

_ENTRY = re.compile(r"^(?P<name>[a-z0-9._-]+)==.*\n(?P<via>(?:    #.*\n)*)", re.MULTILINE)


def locked_lines(extras: Collection[str], project: Path = ROOT) -> list[str]:
    """Return the lines of the lock file that the service needs with `extras`, in the same order.

    Raises:
        ValueError: an extra is unknown, or there is not exactly one of `RUNTIMES`.
    """
    declared = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    known = declared["project"]["optional-dependencies"] | declared["dependency-groups"]
    if unknown := set(extras) - set(known):
        raise ValueError(f"unknown extras: {', '.join(sorted(unknown))}; available: {', '.join(known)}")
    if len(RUNTIMES & set(extras)) != 1:
        raise ValueError(f"choose one of the extras {' and '.join(sorted(RUNTIMES))}")
    requirements = [*declared["project"]["dependencies"], *(each for extra in extras for each in known[extra])]
    roots = {_package(requirement) for requirement in requirements}
    entries = list(_ENTRY.finditer((project / "requirements.lock").read_text("utf-8")))
    kept = {entry["name"] for entry in entries} & roots
    while more := {entry["name"] for entry in entries if _requiring(entry["via"]) & kept} - kept:
        kept |= more
    return [entry[0].splitlines()[0] for entry in entries if entry["name"] in kept]


def _package(requirement: str) -> str:
    """Return the normalised name of the package in a requirement."""
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def _requiring(via: str) -> set[str]:
    """Return the packages that require a package, from its "via" lines."""
    return {line.strip().removeprefix("#").strip().removeprefix("via").strip() for line in via.splitlines()}


def main() -> None:
    """Print the lines for the extras given on the command line."""
    try:
        print("\n".join(locked_lines(sys.argv[1:])))
    except ValueError as problem:
        raise SystemExit(str(problem)) from None


if __name__ == "__main__":
    main()
