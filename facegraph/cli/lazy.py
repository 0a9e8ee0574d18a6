"""Groups of commands that are imported when they are named: all of them would take seconds to import."""

import ast
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command


class Part(TyperCommand):
    """What is known of a command before it is imported; its line in the group's help is read from its source.

    Args:
        place: ``module:function``; the function has the signature that Typer makes a command of.
        panel: of the group's help.
    """

    def __init__(self, place: str, panel: str = "Commands") -> None:
        self.module, _, self.function = place.partition(":")
        super().__init__(None, help=_summaries(self.module)[self.function], rich_help_panel=panel)

    def imported(self) -> Any:
        """The command itself."""
        app = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        app.command(self.name)(getattr(import_module(self.module), self.function))
        return get_command(app)


class Group(TyperGroup):
    """A group of `Part`s and of other groups."""

    def has(self, commands: Mapping[str, Part | TyperGroup]) -> "Group":
        """Take `commands` in, by name."""
        for name, command in commands.items():
            command.name = name
            self.add_command(command)
        return self

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that `args` begin with, which is imported now."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.imported() if isinstance(command, Part) else command, rest


def group(summary: str, commands: Mapping[str, Part | TyperGroup]) -> Group:
    """A group with nothing but `commands`."""
    return Group(help=summary, no_args_is_help=True).has(commands)


@cache
def _summaries(module: str) -> dict[str, str]:
    """The first line of each documented function of a module, which is not imported."""
    found = find_spec(module)
    assert found is not None
    assert found.origin is not None
    tree = ast.parse(Path(found.origin).read_text("utf-8"))
    texts = {node.name: ast.get_docstring(node) for node in tree.body if isinstance(node, ast.FunctionDef)}
    return {name: text.partition("\n")[0] for name, text in texts.items() if text}
