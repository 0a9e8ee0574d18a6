"""The program as a whole: imports, help, version, usage errors and completion."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest
from typer.core import TyperGroup

from facegraph.cli.lazy import LazyCommand
from facegraph.cli.program import program
from project.root import ROOT
from tests.facegraph.cli import Run

HEAVY = {"ray", "lancedb", "torch", "tensorflow", "onnxruntime", "matplotlib"}
SCRIPT = f"{sys.prefix}/bin/facegraph"


def commands(group: TyperGroup) -> Iterator[tuple[str, LazyCommand]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command)
        else:
            assert isinstance(command, LazyCommand)
            yield name, command


@pytest.mark.parametrize("words", [["gallery", "--help"], ["gallery", "enrol", "--help"], ["models", "list"]])
def test_it_starts_without_heavy_libraries(words: list[str]) -> None:
    shown = "atexit.register(lambda: print(*sys.modules, file=sys.stderr))"
    code = f"import atexit, sys; from facegraph.cli import main; sys.argv[1:] = {words}; {shown}; main()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "facegraph.cli" in done.stderr.split()
    assert not HEAVY & set(done.stderr.split())


def test_every_command_and_option_has_help() -> None:
    for name, lazy in commands(program()):
        command: Any = lazy.load()
        assert command.name == name
        assert lazy.help, name
        assert command.help.startswith(lazy.help), name
        assert all(parameter.help for parameter in command.params if parameter.name != "help"), name


@pytest.mark.parametrize("command", [[sys.executable, "-m", "facegraph"], [SCRIPT]])
def test_it_is_a_module_and_a_script(command: list[str]) -> None:
    done = subprocess.run([*command, "--version"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"facegraph {version('facegraph')}\n"


@pytest.mark.parametrize(("words", "completed"), [("keys ", "revoke"), ("keys create --ex", "--expires")])
def test_completion_knows_commands_and_options(words: str, completed: str) -> None:
    line = f"facegraph {words}"
    variables = {"_FACEGRAPH_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    environment = {**os.environ, **variables}
    done = subprocess.run([SCRIPT], cwd=ROOT, capture_output=True, text=True, env=environment, check=False)
    assert completed in done.stdout


def test_an_interrupt_ends_serve_even_where_interrupts_are_ignored(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facegraph.cli.serve.run", lambda config: signal.raise_signal(signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run("serve")[0] == 130
    finally:
        signal.signal(signal.SIGINT, before)
