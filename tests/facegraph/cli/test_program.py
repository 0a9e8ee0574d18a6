"""The program as a whole: imports, help, version, usage errors and completion."""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest
from typer.core import TyperGroup

from facegraph.cli.lazy import LazyCommand
from facegraph.cli.program import program
from tests.conftest import PROJECT

HEAVY = {"ray", "lancedb", "torch", "tensorflow", "onnxruntime", "matplotlib"}
SCRIPT = f"{sys.prefix}/bin/facegraph"


def commands(group: TyperGroup, *names: str) -> Iterator[tuple[tuple[str, ...], LazyCommand]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, *names, name)
        else:
            assert isinstance(command, LazyCommand)
            yield (*names, name), command


COMMANDS = dict(commands(program()))


@pytest.mark.parametrize("words", [["gallery", "--help"], ["gallery", "enrol", "--help"], ["models", "list"]])
def test_it_starts_without_heavy_libraries(words: list[str]) -> None:
    code = (
        "import sys\n"
        "from facegraph.cli import main\n"
        f"sys.argv = ['facegraph', *{words!r}]\n"
        "try:\n    main()\n"
        "except SystemExit as ended:\n    print(ended.code, *sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    status, *modules = done.stderr.split()
    assert (status, HEAVY & set(modules)) == ("0", set())


@pytest.mark.parametrize("words", COMMANDS, ids="-".join)
def test_every_command_and_option_has_help(words: tuple[str, ...]) -> None:
    lazy = COMMANDS[words]
    command: Any = lazy.load()
    assert command.name == words[-1]
    assert lazy.help
    assert command.help.startswith(lazy.help)
    assert all(parameter.help for parameter in command.params if parameter.name != "help")


@pytest.mark.parametrize("command", [[sys.executable, "-m", "facegraph"], [SCRIPT]])
def test_it_is_a_module_and_a_script(command: list[str]) -> None:
    done = subprocess.run([*command, "--version"], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout == f"facegraph {version('facegraph')}\n"


@pytest.mark.parametrize(("words", "completed"), [("keys ", "revoke"), ("keys create --ex", "--expires")])
def test_completion_knows_commands_and_options(words: str, completed: str) -> None:
    line = f"facegraph {words}"
    variables = {"_FACEGRAPH_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    environment = {**os.environ, **variables}
    done = subprocess.run([SCRIPT], cwd=PROJECT, capture_output=True, text=True, env=environment, check=False)
    assert completed in done.stdout
