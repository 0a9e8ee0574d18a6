"""Commands, options, make targets and modules that the documents name exist."""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from facegraph.cli.program import program
from project.root import ROOT
from tests.docs.documents import DOCUMENTS, name, shown, spans

_INNER = r"""(?:"?\$\([^)]*\)"?)"""
_WORD = rf"""(?:{_INNER}|"[^"]*"|'[^']*'|[^\s|;&()<>#"']+)"""
_FACEGRAPH = re.compile(rf"(?:^ *|\$\(|[|;&] *|bin/)facegraph((?: +{_WORD})+)", re.MULTILINE)
_MAKE = re.compile(r"(?:^|[\s(])make ([a-z][a-z-]*)\b", re.MULTILINE)
_MODULE = re.compile(r"python -m ((?:load_tests|tests|supply|facegraph)[\w.]*)")
_OPTION = re.compile(r"--[a-z][a-z-]+")

FOREIGN_OPTIONS = {"load_testing.md", "deployment.md", "http.md"}
"""Documents whose text has options of Locust, Docker or curl."""


def child(command: Any, words: list[str]) -> tuple[Any, list[str]]:
    """The command of a group that the first of `words` names, and the other words."""
    _, found, rest = command.resolve_command(command.context_class(command, info_name="facegraph"), words)
    return found, rest


def parse(words: list[str], *, whole: bool) -> None:
    """Parse the arguments of `facegraph` as the program does, without running it.

    Args:
        whole: whether a command and its required arguments must be there.

    Raises:
        Exception: the program does not accept them.
    """
    command: Any = program()
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        command, words = child(command, words)
    if hasattr(command, "commands"):
        assert not whole or words, "a command is missing"
        return
    given, left, _ = command.make_parser(command.context_class(command)).parse_args(list(words))
    missing = [each.name for each in command.params if whole and each.required and not given.get(each.name)]
    assert (left, missing) == ([], [])


def options(command: Any) -> set[str]:
    """All options of a command and of those in it."""
    inner = (options(child(command, [name])[0]) for name in getattr(command, "commands", ()))
    return {option for each in command.params for option in each.opts}.union(*inner)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_commands_exist(document: Path) -> None:
    for block in shown(document, "bash"):
        for found in _FACEGRAPH.finditer(block):
            parse(shlex.split(re.sub(_INNER, "output", found[1])), whole=True)
    for span in spans(document):
        if command := re.fullmatch(r"(?:\.venv/bin/)?facegraph(?: (.*))?", span):
            parse(shlex.split(command[1] or ""), whole=False)
    if document.name not in FOREIGN_OPTIONS:
        named = {match[0] for match in map(_OPTION.match, spans(document)) if match}
        assert named <= options(program()) | {"--help", "--version", "--install-completion"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_targets_and_modules_exist(document: Path) -> None:
    text = "\n".join([*shown(document, "bash", ""), *spans(document)])
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(_MAKE.findall(text)) <= targets
    assert [module for module in _MODULE.findall(text) if find_spec(module.rstrip(".")) is None] == []
