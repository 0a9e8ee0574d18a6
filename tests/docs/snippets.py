"""Runs the fenced code blocks of a Markdown document in order, against a running service.

- Blocks of ``bash``, ``python`` and ``javascript`` run, all in one temporary folder. The bash blocks share a shell with
  ``set -euo pipefail``, in which curl fails on HTTP errors; the Python blocks share a namespace; each JavaScript block
  is a module for Node.
- ``localhost:8000`` is replaced by the address of the service, which is also in ``FACEGRAPH_URL``.
- A path after the language (```` ```toml models/cards/own.toml ````) makes the block a file in the folder.
- A comment on the line above a block changes that::

    <!-- not run: the reason -->
    <!-- run: HTTP errors wanted -->

A failure is reported with the line of the block's fence, such as ``docs/client.md:34``, and the block's output.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

LANGUAGES = ("bash", "python", "javascript")
ADDRESS = "localhost:8000"
TIMEOUT_S = 120

_FENCE = re.compile(r"(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<language>[\w+-]*) *(?P<path>\S*)")
_NOT_RUN = re.compile(r"<!-- not run: \S.* -->")
_ERRORS_WANTED = "<!-- run: HTTP errors wanted -->"
_SHELL = r"""
set -euo pipefail
wanted=no
curl() { if [ "$wanted" = yes ]; then command curl "$@"; else command curl --fail-with-body "$@"; fi; }
while IFS=' ' read -r wanted block; do
    source "$block" >"$block.log" 2>&1 </dev/null
    echo "$block"
done
"""


@dataclass(frozen=True)
class Block:
    """A fenced block to run, or to write to `path`; `line` is the line of its fence, from 1."""

    line: int
    language: str
    path: str
    code: str
    errors_wanted: bool


def blocks(document: Path) -> list[Block]:
    """The blocks of a document to run or to write."""
    found, lines = list[Block](), document.read_text("utf-8").splitlines()
    numbers = iter(range(len(lines)))
    for start in numbers:
        if not (opened := _FENCE.match(lines[start])):
            continue
        end = next(n for n in numbers if lines[n].strip() == opened["fence"])
        marker = lines[start - 1].strip() if start else ""
        if (opened["path"] or opened["language"] in LANGUAGES) and not _NOT_RUN.fullmatch(marker):
            code = "\n".join(line.removeprefix(opened["indent"]) for line in lines[start + 1 : end])
            found.append(Block(start + 1, opened["language"], opened["path"], code, marker == _ERRORS_WANTED))
    return found


def run(document: Path, address: str, folder: Path, files: Mapping[str, bytes | Path]) -> None:
    """Run the blocks of a document.

    Args:
        document: a Markdown file.
        address: base URL of a service.
        folder: an empty folder to run in.
        files: contents of files in the folder by relative path, or paths to link to.

    Raises:
        AssertionError: a block failed.
    """
    for name, given in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(given, bytes):
            place.write_bytes(given)
        else:
            place.symlink_to(given)
    host = address.removeprefix("http://")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "FACEGRAPH_URL": address, "PATH": path}
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with _Shell(folder, environment) as shell:
        for block in blocks(document):
            if block.path:
                (folder / block.path).write_text(block.code + "\n", "utf-8")
                continue
            code = block.code.replace(ADDRESS, host)
            # Leading empty lines give tracebacks the line numbers of the document.
            source = "\n" * block.line + code
            if block.language == "bash":
                problem = shell.run(code, block)
            elif block.language == "python":
                problem = _python(source, namespace, folder, environment)
            else:
                problem = _node(source, folder, environment)
            assert problem is None, f"{document.name}:{block.line}: {block.language} failed\n{problem}"


class _Shell:
    """The shell of a document's bash blocks."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        # In its own session, so that processes started by a block can be killed with it.
        self._process = subprocess.Popen(
            ["bash", "-c", _SHELL],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> "_Shell":
        return self

    def __exit__(self, *raised: object) -> None:
        self._kill()
        self._process.communicate()

    def run(self, code: str, block: Block) -> str | None:
        """Run a block; return its output if it failed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        file = self._folder / f".block-{block.line}"
        file.write_text(code + "\n", "utf-8")
        timer = threading.Timer(TIMEOUT_S, self._kill)
        timer.start()
        self._process.stdin.write(f"{'yes' if block.errors_wanted else 'no'} {file}\n")
        self._process.stdin.flush()
        # The block's name, or nothing if the shell ended.
        done = self._process.stdout.readline()
        timer.cancel()
        return None if done else Path(f"{file}.log").read_text("utf-8", "replace")

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


def _python(source: str, namespace: dict[str, Any], folder: Path, environment: Mapping[str, str]) -> str | None:
    try:
        with patch.dict(os.environ, environment), contextlib.chdir(folder):
            exec(compile(source, "the document", "exec"), namespace)
    except Exception:
        return traceback.format_exc()
    return None


def _node(source: str, folder: Path, environment: Mapping[str, str]) -> str | None:
    command = ["node", "--input-type=module", "-"]
    ended = subprocess.run(
        command, input=source, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    return ended.stdout + ended.stderr if ended.returncode else None
