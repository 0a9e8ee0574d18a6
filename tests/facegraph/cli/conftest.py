"""Typing commands, in this process, and a service that they can ask."""

import asyncio
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from api.app import create_app
from facegraph.cli import main
from facegraph.cli.terminal import console, notes
from tests.facegraph.cli.typing import Run
from tests.fakes import People, service


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `facegraph` on a wide terminal."""
    monkeypatch.setenv("COLUMNS", "250")
    for each in (console, notes):
        # Which they may have taken from the environment before.
        monkeypatch.setattr(each, "width", 250)

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["facegraph", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> Iterator[People]:
    """Whom the networks of a service know; it listens where commands look for it, and photos are words to it."""
    known = People()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        # Here and not by the server, which starts in a thread of its own: a command may be faster.
        listening.listen()
        monkeypatch.setenv("FACEGRAPH_URL", f"http://127.0.0.1:{listening.getsockname()[1]}")
        monkeypatch.delenv("FACEGRAPH_API_KEY", raising=False)
        server = uvicorn.Server(uvicorn.Config(create_app(service(known.stages())), log_config=None))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
        thread.start()
        yield known
        server.should_exit = True
        thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of people: Anna with two photos, Bob with one, and Carl with two that are of no use."""
    texts = {
        "anna/1.jpg": "anna",
        "anna/more/2.PNG": "anna-again",
        "bob/1.jpg": "bob",
        "carl/dark.jpg": "carl-dark",
        "carl/two.jpg": "carl dora",
    }
    for name, words in texts.items():
        path = tmp_path / "people" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(words)
    return tmp_path / "people"
