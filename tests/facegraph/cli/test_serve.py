"""`facegraph serve`."""

import signal
from pathlib import Path

import pytest

from tests.facegraph.cli import Run


def test_an_interrupt_ends_it_even_where_interrupts_are_ignored(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(config: Path) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("facegraph.cli.serve.run", interrupted)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run("serve")[0] == 130
    finally:
        signal.signal(signal.SIGINT, before)
