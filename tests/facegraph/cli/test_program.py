"""The command as a whole: what it imports, what it knows of commands before it imports them, and its errors."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest
from typer.core import TyperGroup

from facegraph.cli.lazy import Part
from facegraph.cli.program import program
from tests.conftest import PROJECT
from tests.facegraph.cli.typing import Run

HEAVY = {"ray", "lancedb", "torch", "tensorflow", "onnxruntime", "matplotlib"}


def parts(group: TyperGroup, *names: str) -> Iterator[tuple[tuple[str, ...], Part]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from parts(command, *names, name)
        else:
            assert isinstance(command, Part)
            yield (*names, name), command


@pytest.mark.parametrize(
    "words", [["--help"], ["models", "list"], ["gallery", "--help"], ["gallery", "enrol", "--help"]]
)
def test_it_starts_without_the_heavy_runtimes(words: list[str]) -> None:
    code = (
        "import sys\n"
        "from facegraph.cli import main\n"
        f"sys.argv = ['facegraph', *{words!r}]\n"
        "try:\n    main()\n"
        "except SystemExit as ended:\n    print(ended.code, *sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    status, *modules = done.stderr.split()
    assert status == "0"
    assert "typer" in modules
    assert not HEAVY & set(modules)


COMMANDS = dict(parts(program()))


@pytest.mark.parametrize("words", COMMANDS, ids="-".join)
def test_every_command_can_be_imported_and_explains_itself(words: tuple[str, ...]) -> None:
    part = COMMANDS[words]
    command: Any = part.imported()
    assert command.name == words[-1]
    assert part.help
    assert command.help.startswith(part.help)
    assert all(parameter.help for parameter in command.params if parameter.name != "help")


def test_it_is_a_module_and_a_script_and_tells_its_version() -> None:
    said = f"facegraph {version('facegraph')}\n"
    for command in ([sys.executable, "-m", "facegraph"], [f"{sys.prefix}/bin/facegraph"]):
        done = subprocess.run([*command, "--version"], cwd=PROJECT, capture_output=True, text=True, check=True)
        assert done.stdout == said


def test_a_group_without_a_command_explains_itself(run: Run) -> None:
    status, out, err = run("keys")
    assert status == 2
    assert all(word in out + err for word in ("create", "list", "revoke"))


@pytest.mark.parametrize("words", [["kees"], ["keys", "lisst"], ["keys", "list", "--nonsense"]])
def test_a_slip_of_the_finger_is_a_usage_error(run: Run, words: list[str]) -> None:
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert words[-1] in err


def test_completion_knows_commands_and_their_options() -> None:
    def completed(words: str) -> str:
        variables = {"_FACEGRAPH_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        command = [f"{sys.prefix}/bin/facegraph"]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, env=variables, check=False)
        return done.stdout

    assert completed("facegraph ke").split() == ["keys"]
    assert completed("facegraph keys ").split() == ["create", "list", "revoke"]
    assert "--expires" in completed("facegraph keys create --ex")
