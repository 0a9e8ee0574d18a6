"""Runs the fenced code blocks of a Markdown document against a running service.

- All blocks of ``bash`` form one script, with ``set -euo pipefail`` and a curl that fails on HTTP errors. So do all
  blocks of ``python``, and those of ``javascript`` form one module for Node. They run in one temporary folder.
- ``localhost:8000`` is replaced by the address of the service, which is also in ``FACEGRAPH_URL``.
- A path after the language (```` ```toml models/cards/own.toml ````) makes the block a file in the folder.
- A block below the line ``<!-- not run: the reason -->`` is left out.

Each script has the line numbers of the document, so that its errors name them.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.docs.documents import FENCED

PROGRAMS = {
    "bash": ["bash", "-c"],
    "python": [sys.executable, "-c"],
    "javascript": ["node", "--input-type=module", "-e"],
}
ADDRESS = "localhost:8000"
TIMEOUT_S = 240

_NOT_RUN = re.compile(r"<!-- not run: \S.* -->\s*$")
_SETTINGS = """set -euo pipefail; curl() { command curl --fail-with-body "$@"; }; trap 'echo "line $LINENO"' ERR"""


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
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "FACEGRAPH_URL": address, "PATH": path}
    text = document.read_text("utf-8")
    scripts: dict[str, str] = {}
    for block in FENCED.finditer(text):
        indent, _, language, target, code = block.groups()
        if _NOT_RUN.search(text, 0, block.start()):
            continue
        code = re.sub(f"^{indent}", "", code, flags=re.MULTILINE)
        if target:
            (folder / target).write_text(code, "utf-8")
        elif language in PROGRAMS:
            script = scripts.get(language, _SETTINGS if language == "bash" else "")
            missing = text.count("\n", 0, block.start(5)) - script.count("\n")
            scripts[language] = script + "\n" * missing + code.replace(ADDRESS, address.removeprefix("http://"))
    for language, script in scripts.items():
        ended = subprocess.run(
            [*PROGRAMS[language], script],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
        )
        assert ended.returncode == 0, f"{document.name}: {language} failed\n{ended.stdout[-3000:]}"
