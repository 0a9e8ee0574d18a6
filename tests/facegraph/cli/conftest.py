"""Typing commands, in this process."""

import sys

import pytest

from facegraph.cli import main
from tests.facegraph.cli.typing import Run


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `facegraph` on a wide terminal."""
    monkeypatch.setenv("COLUMNS", "250")

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["facegraph", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run
