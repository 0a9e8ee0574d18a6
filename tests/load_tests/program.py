"""A program of the load tests, run as its command line runs it."""

from collections.abc import Callable
from typing import Any

import typer
from typer.testing import CliRunner, Result


def invoked(main: Callable[..., Any], *arguments: str) -> Result:
    """What became of `main` with these arguments."""
    app = typer.Typer()
    app.command()(main)
    return CliRunner().invoke(app, arguments)
