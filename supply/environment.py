"""`python -m supply.environment cpu torch` installs the locked packages of these extras into this environment.

Extras that were installed earlier are kept, except that ``cpu`` and ``gpu`` replace each other. Packages that no extra
needs are removed. If nothing has changed, nothing is done. uv installs the packages with pip's settings, so that an
index or a folder of wheels needs to be configured only once.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from project.root import ROOT
from supply.locked import RUNTIMES, locked_lines

RECORD = Path(sys.prefix) / "extras.txt"
"""Lists the installed extras. It is newer than the lock file and pyproject.toml unless something must be installed."""
SETTINGS = {
    "cert": "SSL_CERT_FILE",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "index-url": "UV_DEFAULT_INDEX",
}
"""uv's environment variables for pip's settings."""


def main() -> None:
    """Install the extras given on the command line."""
    recorded = set(RECORD.read_text("utf-8").split()) if RECORD.exists() else set()
    extras = {*sys.argv[1:], "setup", *(recorded - RUNTIMES), *([] if shutil.which("npm") else ["npm"])}
    sources = (ROOT / "requirements.lock", ROOT / "pyproject.toml")
    if extras == recorded and RECORD.stat().st_mtime > max(path.stat().st_mtime for path in sources):
        return
    try:
        lines = locked_lines(extras)
    except ValueError as problem:
        raise SystemExit(str(problem)) from None
    RECORD.unlink(missing_ok=True)
    _install(lines)
    RECORD.write_text("\n".join(sorted(extras)) + "\n", "utf-8")


def _install(lines: list[str]) -> None:
    settings = _pip_settings()
    [uv] = [line for line in lines if line.startswith("uv==")]
    if not _has(uv):
        _run(sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", uv)
    print(f"installing {len(lines)} packages into {sys.prefix}", flush=True)
    # uv has no environment variable for this setting.
    wheels_only = ["--no-index"] if settings.get("no-index", "0").lower() in ("1", "true", "yes", "on") else []
    # Like pip, search all indexes for a package, not only the first that has it.
    forwarded = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
    forwarded |= {SETTINGS[name]: value for name, value in settings.items() if name in SETTINGS}
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(lines))
        file.flush()
        # Without bytecode, each replica would compile the modules that it imports at its first start.
        options = ("--compile-bytecode", *wheels_only, "--python", sys.executable, file.name)
        _run(*_UV, "sync", *options, **forwarded)
    _run(*_UV, "install", "--quiet", "--python", sys.executable, "--no-deps", "--no-build-isolation", "--editable", ".")


_UV = (str(Path(sys.executable).with_name("uv")), "pip")


def _has(line: str) -> bool:
    name, _, version = line.partition("==")
    try:
        return metadata.version(name) == version
    except metadata.PackageNotFoundError:
        return False


def _pip_settings() -> dict[str, str]:
    """Return pip's settings from its files and variables, which uv does not read."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
    settings = (line.partition("=") for line in listed.splitlines())
    return {key.rpartition(".")[2]: value.strip("'\"") for key, _, value in settings}


def _run(*command: str, **variables: str) -> None:
    done = subprocess.run(command, cwd=ROOT, env={**variables, **os.environ})
    if done.returncode:
        # The command has printed the reason.
        raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()
