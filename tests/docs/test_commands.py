"""Every command that the documents name exists, and takes the options that are shown, whether it is run or not."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from facegraph.cli.lazy import Group
from facegraph.cli.program import program
from tests.conftest import PROJECT
from tests.docs.documents import DOCUMENTS, name, shown, spans

_INNER = r"""(?:"?\$\([^)]*\)"?)"""
_WORD = rf"""(?:{_INNER}|"[^"]*"|'[^']*'|[^\s|;&()<>#"']+)"""
_FACEGRAPH = re.compile(rf"(?:^ *|\$\(|[|;&] *|bin/)facegraph((?: +{_WORD})+)", re.MULTILINE)
_MAKE = re.compile(r"(?:^|[\s(])make ([a-z][a-z-]*)\b", re.MULTILINE)
_MODULE = re.compile(r"python -m ((?:load_tests|tests|supply|facegraph)[\w.]*)")
_OPTION = re.compile(r"--[a-z][a-z-]+")

OTHERS_OPTIONS = {"load_testing.md", "deployment.md", "http.md"}
"""Documents whose options in the text are Locust's, the load tests', Docker's or curl's."""


def commands(document: Path) -> Iterator[list[str]]:
    """What follows `facegraph` in its blocks, words split as a shell does."""
    for block in shown(document, "bash"):
        for found in _FACEGRAPH.finditer(block):
            yield shlex.split(re.sub(_INNER, "what-it-prints", found[1]))


def resolved(words: list[str]) -> tuple[Any, list[str]]:
    """The command of the real program that `words` begin with, and the words after its name."""
    command: Any = program()
    while isinstance(command, Group) and words and not words[0].startswith("-"):
        context = command.context_class(command, info_name="facegraph")
        _, command, words = command.resolve_command(context, words)
    return command, words


def parsed(words: list[str], *, whole: bool) -> None:
    """Parse `words` as the program does, without running anything or looking whether files exist.

    Raises:
        AssertionError: there are too few words, or too many.
        Exception: the program's own, of a command or an option that it does not have.
    """
    command, rest = resolved(words)
    if isinstance(command, Group):
        assert not whole or rest, f"{words} is a group of commands"
        return
    context = command.context_class(command, info_name="facegraph")
    given, left, _ = command.make_parser(context).parse_args(list(rest))
    assert left == [], f"{words} has words that nobody takes"
    if whole:
        missing = [each.name for each in command.params if each.required and not given.get(each.name)]
        assert missing == [], f"{words} lacks {missing}"


@cache
def options() -> set[str]:
    """Every option of the program."""

    def of(command: Any) -> Iterator[str]:
        for each in command.params:
            yield from each.opts
        if isinstance(command, Group):
            for name in command.commands:
                yield from of(command.resolve_command(command.context_class(command), [name])[1])

    return {*of(program()), "--help", "--version", "--install-completion"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_no_command_hides_in_a_block_without_a_language(document: Path) -> None:
    lines = "\n".join(shown(document, "", "text")).splitlines()
    assert [line for line in lines if re.match(r"\s*(\$ |facegraph |curl |make |python )", line)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_commands_in_blocks_are_whole(document: Path) -> None:
    for words in commands(document):
        parsed(words, whole=True)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_commands_in_the_text_exist(document: Path) -> None:
    for span in spans(document):
        if found := re.fullmatch(r"(?:\.venv/bin/)?facegraph(?: (.*))?", span):
            parsed(shlex.split(found[1] or ""), whole=False)


@pytest.mark.parametrize("document", [each for each in DOCUMENTS if each.name not in OTHERS_OPTIONS], ids=name)
def test_options_in_the_text_exist(document: Path) -> None:
    named = {found[0] for span in spans(document) if (found := _OPTION.match(span))}
    assert named - options() == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_targets_and_modules_exist(document: Path) -> None:
    text = "\n".join([*shown(document, "bash", ""), *spans(document)])
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(_MAKE.findall(text)) - targets == set()
    assert [module for module in _MODULE.findall(text) if find_spec(module.rstrip(".")) is None] == []


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("gallery", "is a group of commands"),
        ("gallery backup", "lacks"),
        ("gallery backup place another", "words that nobody takes"),
        ("gallery enrol people --collection", "requires an argument"),
        ("models calibrate crmnet --photos attacks --fmr-1e-3", "No such option"),
        ("models measure", "No such command"),
    ],
)
def test_a_command_that_the_program_refuses_is_found(command: str, said: str) -> None:
    with pytest.raises(Exception, match=said):
        parsed(command.split(), whole=True)
