"""Runs what a document says: every fenced block of its Markdown, in order, against a service.

What a writer has to know:

- Blocks of ``bash``, ``python`` and ``javascript`` are run; all others (``json``, ``yaml``, none, ...) are only read.
  Other names of the three are refused, so that no block is left out by its spelling.
- All blocks of a document run in one temporary folder, which holds the files that the test gives. Photos are best
  called as the text needs them (``face.jpg``), the project's own by the path that a reader types (``data/photos``).
- ``bash``: one shell for the whole document, so variables and functions stay. It runs with ``set -euo pipefail``, and
  curl fails where HTTP does: a block that shows an error says so, below. The environment's programs are found.
- ``python``: one namespace for the whole document, in the test's own process.
- ``javascript``: each block is a module of its own for Node, with ``await`` at its top level. A file is
  ``await openAsBlob("face.jpg")`` there (``node:fs``).
- ``localhost:8000`` is replaced by the service's address, which ``FACEGRAPH_URL`` has, too.
- A path after the language (```` ```toml models/cards/own.toml ````) makes the block a file in the folder, which is
  written in its turn and not run.
- A comment on the line above a block changes that::

    <!-- not run: why it cannot be -->
    <!-- run: HTTP errors wanted -->

- A block fails by its exit status, or an exception; nothing is said of its output. To hold a result, compare it in the
  block: ``assert``, ``test``, ``grep -q``.

What fails is told as ``docs/client.md:34``, the line of the block's fence, with its output.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LANGUAGES = ("bash", "python", "javascript")
MISNAMED = {"sh": "bash", "shell": "bash", "console": "bash", "py": "python", "js": "javascript", "mjs": "javascript"}
ADDRESS = "localhost:8000"
TIMEOUT_S = 120

_FENCE = re.compile(r"(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<language>[\w+-]*) *(?P<path>\S*)")
_NOT_RUN = re.compile(r"<!-- not run: \S.* -->")
_ERRORS_WANTED = "<!-- run: HTTP errors wanted -->"
_MARKER = re.compile(r"<!-- *(not )?run\b")

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
    """A fenced block; `line` is that of its fence, from 1; with a `path` it is a file."""

    line: int
    language: str
    path: str
    code: str
    errors_wanted: bool


class SnippetError(AssertionError):
    """A block failed, or a document does not keep to the rules; the message begins with its place."""


def blocks(document: Path) -> list[Block]:
    """The blocks of a document that are to be run or written.

    Raises:
        SnippetError: a block is not closed, a language is misnamed, or a marker is none of the two.
    """
    found, lines = list[Block](), document.read_text("utf-8").splitlines()
    numbers = iter(range(len(lines)))
    for start in numbers:
        if not (opened := _FENCE.match(lines[start])):
            continue
        end = next((n for n in numbers if lines[n].strip() == opened["fence"]), None)
        place = f"{document.name}:{start + 1}"
        if end is None:
            raise SnippetError(f"{place}: the block is not closed")
        language, marker = opened["language"], lines[start - 1].strip() if start else ""
        if language in MISNAMED:
            raise SnippetError(f"{place}: write {MISNAMED[language]} for {language}")
        if _MARKER.match(marker) and marker != _ERRORS_WANTED and not _NOT_RUN.fullmatch(marker):
            raise SnippetError(f"{place}: the marker above is none that tests.docs.snippets knows")
        if (opened["path"] or language in LANGUAGES) and not _NOT_RUN.fullmatch(marker):
            code = "\n".join(line.removeprefix(opened["indent"]) for line in lines[start + 1 : end])
            found.append(Block(start + 1, language, opened["path"], code, marker == _ERRORS_WANTED))
    return found


def run(
    document: Path,
    address: str,
    folder: Path,
    files: Mapping[str, bytes | Path],
    languages: Collection[str] = LANGUAGES,
) -> None:
    """Run the blocks of a document.

    Args:
        document: a Markdown file.
        address: of a service, such as ``http://127.0.0.1:54321``.
        folder: an empty one, in which they run.
        files: what they find there by relative path: bytes, or a path to link to.
        languages: of the blocks to run.

    Raises:
        SnippetError: a block failed.
    """
    for name, given in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(given, bytes):
            place.write_bytes(given)
        else:
            place.symlink_to(given)
    host = address.removeprefix("http://")
    environment = {
        **os.environ,
        "FACEGRAPH_URL": address,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with _Shell(folder, environment) as shell:
        for block in blocks(document):
            if block.path:
                (folder / block.path).write_text(block.code + "\n", "utf-8")
                continue
            if block.language not in languages:
                continue
            code = block.code.replace(ADDRESS, host)
            if block.language == "bash":
                problem = shell.run(code, block)
            elif block.language == "python":
                problem = _python(code, block, namespace, folder, environment)
            else:
                problem = _node(code, block, folder, environment)
            if problem is not None:
                raise SnippetError(f"{document.name}:{block.line}: {block.language} failed\n{problem}")


class _Shell:
    """One bash for a document's blocks."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        # A session of its own: whatever a block has started ends with it.
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
        """Run a block; what it said, if it failed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        file = self._folder / f".block-{block.line}"
        file.write_text(code + "\n", "utf-8")
        timer = threading.Timer(TIMEOUT_S, self._kill)
        timer.start()
        self._process.stdin.write(f"{'yes' if block.errors_wanted else 'no'} {file}\n")
        self._process.stdin.flush()
        # It says the block's name, or nothing because it ended.
        done = self._process.stdout.readline()
        timer.cancel()
        return None if done else Path(f"{file}.log").read_text("utf-8", "replace")

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


def _python(
    code: str, block: Block, namespace: dict[str, Any], folder: Path, environment: Mapping[str, str]
) -> str | None:
    # Lines before it, so that a traceback has the document's.
    source = "\n" * block.line + code
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        with contextlib.chdir(folder):
            exec(compile(source, "the document", "exec"), namespace)
    except Exception:
        return traceback.format_exc()
    finally:
        os.environ.clear()
        os.environ.update(before)
    return None


def _node(code: str, block: Block, folder: Path, environment: Mapping[str, str]) -> str | None:
    file = folder / f".block-{block.line}.mjs"
    file.write_text("\n" * block.line + code + "\n", "utf-8")
    ended = subprocess.run(
        ["node", file], cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    return ended.stdout + ended.stderr if ended.returncode else None
