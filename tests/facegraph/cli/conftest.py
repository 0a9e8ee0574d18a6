"""Runs commands in this process, with a service for them to ask."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Imported before any test: its log handler would keep a test's captured stderr.
import ray.serve  # noqa: F401

from api.app import create_app
from facegraph.cli import main
from facegraph.cli.output import stderr, stdout
from facegraph.client import Client
from tests.app_server import serving
from tests.facegraph.cli import Run
from tests.fakes import People, service


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `facegraph` on a wide terminal."""
    monkeypatch.setenv("COLUMNS", "250")
    for console in (stdout, stderr):
        # The consoles may have read COLUMNS before it was set.
        monkeypatch.setattr(console, "width", 250)

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["facegraph", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> Iterator[People]:
    """The people that the models of a running service know. It listens at FACEGRAPH_URL, and its photos are words."""
    known = People()
    with serving(create_app(service(known.stages()))) as address:
        monkeypatch.setenv("FACEGRAPH_URL", address)
        monkeypatch.delenv("FACEGRAPH_API_KEY", raising=False)
        yield known


@pytest.fixture
def staff(people: People) -> Iterator[Client]:
    """A client of that service, which has an empty collection called staff."""
    with Client() as client:
        client.put_collection("staff")
        yield client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of people: two photos of Anna, one of Bob, and two of Carl that are refused."""
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
