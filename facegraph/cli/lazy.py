"""Commands that are imported when they run, because importing all of them would take seconds."""

import ast
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command


class LazyCommand(TyperCommand):
    """Stands for a command until it is imported. Its summary is read from the source of its function.

    Args:
        name: what the user types. The command ``re-embed`` is the function ``re_embed_command``.
        module: the function's module in this package.
        panel: heading in the group's help.
    """

    def __init__(self, name: str, module: str, panel: str) -> None:
        self._module, self._function = module, f"{name.replace('-', '_')}_command"
        super().__init__(name, help=_summaries(module)[self._function], rich_help_panel=panel)

    def load(self) -> Any:
        """Import the command."""
        app = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        app.command(self.name)(getattr(import_module(f"{__package__}.{self._module}"), self._function))
        return get_command(app)


class LazyGroup(TyperGroup):
    """A command group whose commands may be `LazyCommand`s."""

    def add(self, module: str, *names: str, panel: str = "Commands") -> None:
        """Add commands whose functions are in one module of this package. `panel` is their heading in the help."""
        for name in names:
            self.add_command(LazyCommand(name, module, panel))

    def group(self, name: str, summary: str) -> "LazyGroup":
        """Add a group of commands, and return it."""
        group = LazyGroup(name=name, help=summary, no_args_is_help=True)
        self.add_command(group)
        return group

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the command that `args` begin with."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, LazyCommand) else command, rest


@cache
def _summaries(module: str) -> dict[str, str]:
    """Return the first docstring line of each function of a module, without importing it."""
    tree = ast.parse(Path(__file__).with_name(f"{module}.py").read_text("utf-8"))
    texts = {node.name: ast.get_docstring(node) for node in tree.body if isinstance(node, ast.FunctionDef)}
    return {name: text.partition("\n")[0] for name, text in texts.items() if text}
